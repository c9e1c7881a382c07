// `cacheHandler` of whichever package BENCH_PEER names when the server starts; of none while it is built.
const { default: FileSystemCache } = require('next/dist/server/lib/incremental-cache/file-system-cache')

const url = process.env.REDIS_URL
const packages = {
  leejpsd() {
    const { createIncrementalCacheHandler } = require('@leejpsd/nextjs-cache-handler/incremental')
    return createIncrementalCacheHandler({ client: { type: 'redis', url }, buildNamespace: 'bench' })
  },
  fortedigital() {
    const { CacheHandler } = require('@fortedigital/nextjs-cache-handler')
    const { default: createRedisHandler } = require('@fortedigital/nextjs-cache-handler/redis-strings')
    const { createClient } = require('redis')
    // Next may load this file more than once; one connection, as its README asks for.
    globalThis.benchConfig ??= (async () => {
      const client = createClient({ url })
      client.on('error', () => {})
      await client.connect()
      return { handlers: [createRedisHandler({ client, keyPrefix: 'bench:' })] }
    })()
    CacheHandler.onCreation(() => globalThis.benchConfig)
    return CacheHandler
  },
}

module.exports = packages[process.env.BENCH_PEER]?.() ?? FileSystemCache
