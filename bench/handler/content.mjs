// What is cached: markup as a page of products has it, so that it compresses like one, and always the same.
import { productPage } from './product-page.mjs'

const WORDS =
  'teapot kettle shelf garden lamp chair linen copper oak walnut basket mirror candle brass'.split(' ')
const CHUNK_BYTES = 64 * 1024

/** ASCII of exactly so many bytes. */
export function markup(bytes, seed = 1) {
  let state = seed
  const next = () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31)
  const parts = []
  let length = 0
  while (length < bytes) {
    const [one, other] = [WORDS[next() % WORDS.length], WORDS[next() % WORDS.length]]
    const part = `<li class="product" data-id="${next()}"><h3>${one} ${other}</h3><p>Price ${next() % 900}</p></li>\n`
    parts.push(part)
    length += part.length
  }
  return parts.join('').slice(0, bytes)
}

export const tagsOf = (count) => Array.from({ length: count }, (_, index) => `bench-tag-${index}`)

/** What Next asks for besides the tags of the entry itself. */
export const SOFT_TAGS = ['_N_T_/layout', '_N_T_/products/layout', '_N_T_/products/page', '_N_T_/products']

/** A new entry of `use cache` each time: its stream can be read once. */
export function createUseCacheEntries(content, tags) {
  const chunks = []
  for (let at = 0; at < content.length; at += CHUNK_BYTES) chunks.push(content.subarray(at, at + CHUNK_BYTES))
  return () => ({
    value: new ReadableStream({
      start(controller) {
        // A reader may keep or transfer what it gets.
        for (const chunk of chunks) controller.enqueue(new Uint8Array(chunk))
        controller.close()
      },
    }),
    tags,
    stale: 300,
    timestamp: performance.timeOrigin + performance.now(),
    expire: 86_400,
    revalidate: 3_600,
  })
}

/** @returns {{ html: string, data: string }} of a cell: half markup, half data for the client */
export function contentOf({ bytes, content }) {
  if (content === 'product page') return productPage(bytes)
  const half = Math.floor(bytes / 2)
  return { html: markup(half), data: markup(bytes - half, 2) }
}

/** The bytes that a cell has cached, whatever is around them. */
export function payloadOf({ api, bytes, content }) {
  if (api === 'use cache' && content === undefined) return Buffer.from(markup(bytes))
  const { html, data } = contentOf({ bytes, content })
  return Buffer.from(html + data)
}

const NUMBER_BYTES = 8

/**
 * What Next.js hands over beside the value, at its plainest: the bytes of tags, of names and values of headers, and eight for each
 * number (times; of a page its status). No names of fields, no punctuation.
 */
export function bytesBesideValue({ api, tags }) {
  const bytesOf = (texts) => texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  if (api === 'use cache') {
    const { value: _stream, tags: own, ...numbers } = createUseCacheEntries(Buffer.alloc(0), tags)()
    return bytesOf(own) + NUMBER_BYTES * Object.keys(numbers).length
  }
  const { headers } = createPage({ html: '', data: '' }, tags)
  const numbers = ['status', 'revalidate', 'expire']
  return bytesOf(Object.entries(headers).flat()) + NUMBER_BYTES * numbers.length
}

/** A page of the App Router. */
export function createPage({ html, data }, tags) {
  return {
    kind: 'APP_PAGE',
    html,
    rscData: Buffer.from(data),
    postponed: undefined,
    segmentData: undefined,
    headers: { 'x-next-cache-tags': tags.join(','), 'content-type': 'text/html; charset=utf-8' },
    status: 200,
  }
}
