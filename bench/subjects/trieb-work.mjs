import { createRequire } from 'node:module'
import { join } from 'node:path'
import { PEERS } from '../lib/install-peers.mjs'

const require = createRequire(join(PEERS, 'turbo', 'package.json'))

export async function open({ url, inMemoryCachingTime, patienceMs }) {
  // Only then it uses database 0, whose notifications are on.
  process.env.VERCEL_ENV = 'production'
  const package_ = require('@trieb.work/nextjs-turbo-redis-cache')
  const options = {
    redisUrl: url,
    database: 0,
    keyPrefix: 'bench:',
    inMemoryCachingTime,
    redisGetDeduplication: inMemoryCachingTime > 0,
    getTimeoutMs: patienceMs,
    timeoutMs: patienceMs,
  }
  const strings = new package_.RedisStringsHandler(options)
  return {
    useCache: package_.getRedisCacheComponentsHandler(options),
    // One instance behind the class that Next constructs per request, as its README shows.
    CacheHandler: class {
      get = (...args) => strings.get(...args)
      set = (...args) => strings.set(...args)
      revalidateTag = (...args) => strings.revalidateTag(...args)
    },
    close() {},
  }
}
