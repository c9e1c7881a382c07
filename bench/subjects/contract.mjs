// What the contract leaves of the limit: the same bytes by the same driver, and beside them only what nobody can leave out who
// serves Next.js and keeps the promises. The state of the tags (one look for all reads of a turn), a checksum over the
// bytes, and what Next.js takes: a stream or a page. Nothing is judged, decoded, bounded, timed, counted or shared.
import { crc32 } from 'node:zlib'
import { openDriver } from './bare-driver.mjs'

const STATE = 'bench:tags'
const SUM_BYTES = 4

export async function open(settings) {
  const { get, set, fields, close } = await openDriver(settings)
  const tagsOf = new Map()
  let turn
  /** Of whoever asks first: here everybody asks for the same. */
  const tagState = (tags) => {
    turn ??= new Promise((resolve, reject) => {
      process.nextTick(() => {
        turn = undefined
        fields(STATE, ['clock', ...tags]).then(resolve, reject)
      })
    })
    return turn
  }
  const store = {
    async read(key, softTags = []) {
      const tags = tagsOf.get(key) ?? []
      const reading = get(key)
      await tagState([...tags, ...softTags])
      const bytes = await reading
      if (bytes === null) return undefined
      const body = bytes.subarray(SUM_BYTES)
      if (bytes.readUInt32LE(0) !== crc32(body)) throw new Error('The bytes are damaged')
      return { tags, body }
    },
    write(key, tags, parts) {
      const body = Buffer.concat(parts)
      const sum = Buffer.alloc(SUM_BYTES)
      sum.writeUInt32LE(crc32(body))
      tagsOf.set(key, tags)
      return set(key, Buffer.concat([sum, body]))
    },
  }
  return { useCache: useCacheHandler(store), CacheHandler: cacheHandlerClass(store), close }
}

function useCacheHandler({ read, write }) {
  return {
    async get(key, softTags) {
      const found = await read(key, softTags)
      if (found === undefined) return undefined
      const { tags, body } = found
      const value = new ReadableStream({
        start(controller) {
          controller.enqueue(body)
          controller.close()
        },
      })
      return { value, tags, stale: 300, timestamp: Date.now(), expire: 86_400, revalidate: 3_600 }
    },
    async set(key, pending) {
      const { value, tags } = await pending
      const parts = []
      for await (const part of value) parts.push(part)
      await write(key, tags, parts)
    },
    async refreshTags() {},
    async getExpiration() {
      return 0
    },
  }
}

function cacheHandlerClass({ read, write }) {
  return class {
    async get(key) {
      const found = await read(key)
      if (found === undefined) return null
      const { body } = found
      const half = body.length >> 1
      const [html, rscData] = [body.utf8Slice(0, half), body.subarray(half)]
      return {
        lastModified: Date.now(),
        value: { kind: 'APP_PAGE', html, rscData, headers: {}, status: 200 },
      }
    }

    async set(key, { html, rscData, headers }) {
      await write(key, headers['x-next-cache-tags'].split(','), [Buffer.from(html), rscData])
    }
  }
}
