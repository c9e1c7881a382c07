import { get } from 'node:http'
import { contentUrl, type Content } from './content'

/**
 * Reads a product the way a database client does: without `fetch`, so that nothing but the cache
 * around the caller (a page, `use cache`, `unstable_cache`) stands between it and the origin.
 */
export function queryContent(id: string, reader: string): Promise<Content | null> {
  return new Promise((resolve, reject) => {
    const request = get(contentUrl(id, reader), { agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (body += chunk))
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode === 404) resolve(null)
        else if (response.statusCode === 200) resolve(JSON.parse(body))
        else reject(new Error(`The origin answered ${response.statusCode} for ${id}`))
      })
    })
    request.on('error', reject)
  })
}
