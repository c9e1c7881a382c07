// `cacheHandlers` of whichever package BENCH_PEER names when the server starts; else what Next.js has itself.
const { createDefaultCacheHandler } = require('next/dist/server/lib/cache-handlers/default')

const url = process.env.REDIS_URL
const packages = {
  leejpsd() {
    const { createCacheComponentsHandler } = require('@leejpsd/nextjs-cache-handler/cache-components')
    const client = { type: 'redis', url }
    return createCacheComponentsHandler({
      client,
      buildNamespace: 'bench',
      singleFlight: true,
      tagPubSub: true,
    })
  },
  mrjasonroy() {
    const { createCacheHandler } = require('@mrjasonroy/cache-components-cache-handler')
    return createCacheHandler({ type: 'redis', url })
  },
}

// Next loads this file once per kind.
globalThis.benchComponents ??=
  packages[process.env.BENCH_PEER]?.() ?? createDefaultCacheHandler(50 * 1024 * 1024)
module.exports = globalThis.benchComponents
