const { getRedisCacheComponentsHandler } = require('@trieb.work/nextjs-turbo-redis-cache')
const { createDefaultCacheHandler } = require('next/dist/server/lib/cache-handlers/default')

function create() {
  if (!process.env.BENCH_PEER) return createDefaultCacheHandler(50 * 1024 * 1024)
  const inMemoryCachingTime = Number(process.env.BENCH_L1_MS)
  return getRedisCacheComponentsHandler({
    redisUrl: process.env.REDIS_URL,
    database: 0,
    keyPrefix: 'bench:',
    inMemoryCachingTime,
    redisGetDeduplication: inMemoryCachingTime > 0,
  })
}

// Next loads this file once per kind.
globalThis.benchComponents ??= create()
const handler = globalThis.benchComponents
module.exports = {
  get: (...args) => handler.get(...args),
  set: (...args) => handler.set(...args),
  refreshTags: (...args) => handler.refreshTags(...args),
  getExpiration: (...args) => handler.getExpiration(...args),
  updateTags: (...args) => handler.updateTags(...args),
}
