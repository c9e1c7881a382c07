import type { ResponseValue } from './next-types'
import { object, type ResponseContent } from './response-codec'

type Headers = Record<string, undefined | string | string[]>

/**
 * A copy of everything in the value that can be changed. Text cannot, and bytes are not copied: Next sends them and
 * leaves them alone, its own memory cache hands out the same ones each time.
 *
 * @throws when the JSON in it is none
 */
export function freshValue({ value, json }: ResponseContent): ResponseValue | null {
  if (value === null) return null
  switch (value.kind) {
    case 'APP_PAGE': {
      const page = { ...value }
      if (page.headers !== undefined) page.headers = copyOfHeaders(page.headers)
      if (page.segmentData !== undefined) page.segmentData = new Map(page.segmentData)
      return page
    }
    case 'APP_ROUTE':
      return { ...value, headers: copyOfHeaders(value.headers) }
    case 'PAGES': {
      const page = { ...value, pageData: parse(json) }
      if (page.headers !== undefined) page.headers = copyOfHeaders(page.headers)
      return page
    }
    case 'REDIRECT':
      return { ...value, props: parse(json) }
    case 'FETCH': {
      const fetched = { ...value, data: { ...value.data, headers: { ...value.data.headers } } }
      if (fetched.tags !== undefined) fetched.tags = [...fetched.tags]
      return fetched
    }
    case 'IMAGE':
      return { ...value }
  }
}

/** The same content in memory of its own: what its buffers were views into can be forgotten. */
export function detached(content: ResponseContent): ResponseContent {
  const { value } = content
  switch (value?.kind) {
    case 'APP_PAGE': {
      const page = { ...value }
      if (page.rscData !== undefined) page.rscData = copyOfBytes(page.rscData)
      if (page.segmentData !== undefined) page.segmentData = copyOfSegments(page.segmentData)
      return { ...content, value: page }
    }
    case 'APP_ROUTE':
      return { ...content, value: { ...value, body: copyOfBytes(value.body) } }
    case 'IMAGE':
      return { ...content, value: { ...value, buffer: copyOfBytes(value.buffer) } }
    default:
      return content
  }
}

function parse(json: string | undefined): object {
  return object(JSON.parse(json ?? ''))
}

function copyOfHeaders<H extends Headers>(headers: H): H {
  const copy: Headers = { ...headers }
  for (const name in copy) {
    const header = copy[name]
    if (typeof header === 'object') copy[name] = [...header]
  }
  return copy as H
}

function copyOfBytes(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}

/** One allocation for all of them, which are many and small. */
function copyOfSegments(segments: Map<string, Buffer>): Map<string, Buffer> {
  const copy = copyOfBytes(Buffer.concat([...segments.values()]))
  let at = 0
  return new Map(
    [...segments].map(([path, bytes]) => [path, copy.subarray(at, (at += bytes.length))] as const),
  )
}
