// The same work for every subject, called as Next.js calls it. A read resolves with the bytes it got.
import { contentOf, createPage, createUseCacheEntries, payloadOf, SOFT_TAGS } from './content.mjs'

/**
 * @returns {{ read(key: string): Promise<number>, write(key: string): Promise<void>,
 *   invalidate(tag: string): Promise<void> }}
 */
export function operationsOf(handlers, cell) {
  const payload = payloadOf(cell)
  if (handlers.bare) return bare(handlers.bare, payload)
  return cell.api === 'use cache'
    ? useCache(handlers.useCache, payload, cell.tags)
    : cacheHandler(handlers.CacheHandler, contentOf(cell), cell.tags)
}

function bare({ get, set }, content) {
  return {
    read: async (key) => (await get(key))?.length ?? 0,
    write: (key) => set(key, content),
  }
}

/** Per request and kind: `refreshTags` first, `getExpiration` after a hit. */
function useCache(handler, payload, tags) {
  const newEntry = createUseCacheEntries(payload, tags)
  return {
    async read(key) {
      await handler.refreshTags()
      const entry = await handler.get(key, SOFT_TAGS)
      if (entry === undefined) return 0
      const size = await drain(entry.value)
      await handler.getExpiration(SOFT_TAGS)
      return size
    },
    write: (key) => handler.set(key, Promise.resolve(newEntry())),
    invalidate: (tag) => handler.updateTags([tag]),
  }
}

async function drain(stream) {
  const reader = stream.getReader()
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return size
    size += value.byteLength
  }
}

/** A new instance per request. */
function cacheHandler(CacheHandler, content, tags) {
  const page = createPage(content, tags)
  const context = {
    dev: false,
    flushToDisk: false,
    // Nothing was prerendered, and nothing is looked for on the disk.
    fs: {
      readFile: () => Promise.reject(new Error('none')),
      stat: () => Promise.reject(new Error('none')),
      existsSync: () => false,
    },
    serverDistDir: '/nowhere',
    revalidatedTags: [],
    maxMemoryCacheSize: 0,
    fetchCacheKeyPrefix: '',
  }
  // What requests may wait for Redis is counted by their headers: one object for all would be one request that never ends.
  const newHandler = () => new CacheHandler({ ...context, _requestHeaders: {} })
  const reading = { kind: 'APP_PAGE', isFallback: false, isRoutePPREnabled: false }
  const writing = {
    isFallback: false,
    isRoutePPREnabled: false,
    cacheControl: { revalidate: 3_600, expire: 86_400 },
  }
  return {
    async read(key) {
      const found = await newHandler().get(key, reading)
      const value = found?.value
      return value ? value.html.length + value.rscData.length : 0
    },
    write: (key) => newHandler().set(key, page, writing),
    invalidate: (tag) => newHandler().revalidateTag([tag]),
  }
}
