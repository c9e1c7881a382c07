import { contentUrl, type Content } from './content'

/** Reads a product with `fetch`, so that Next's data cache can hold the answer. Null: there is no such product. */
export async function fetchContent(id: string, reader: string, init: RequestInit): Promise<Content | null> {
  const response = await fetch(contentUrl(id, reader), init)
  if (response.status === 404) return null
  if (!response.ok) throw new Error(`The origin answered ${response.status} for ${id}`)
  return response.json()
}
