// The other limit: what Next.js does without a shared cache, from the memory of the process.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
/** What Next uses when `cacheMaxMemorySize` is not configured is 50 MiB; here nothing may fall out. */
const MEMORY_BYTES = 512 * 2 ** 20

export async function open() {
  const { createDefaultCacheHandler } = require('next/dist/server/lib/cache-handlers/default.js')
  const { default: FileSystemCache } = require('next/dist/server/lib/incremental-cache/file-system-cache.js')
  return {
    useCache: createDefaultCacheHandler(MEMORY_BYTES),
    CacheHandler: class extends FileSystemCache {
      constructor(context) {
        super({ ...context, maxMemoryCacheSize: MEMORY_BYTES, flushToDisk: false })
      }
    },
    close() {},
  }
}
