import { readContent, type Told } from '../../runtime/handlers/response-codec'
import { freshValue } from '../../runtime/handlers/response-content'

/** What a handler hands to Next of a stored response. @throws when detail and body do not make up a value */
export function unpackResponse(detail: unknown, body: Buffer, told: Told) {
  const content = readContent(detail, body, told)
  return { value: freshValue(content), cacheControl: content.cacheControl }
}
