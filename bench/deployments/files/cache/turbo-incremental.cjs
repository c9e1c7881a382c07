// As the README of the package shows: one instance behind the class that Next constructs per request.
const { RedisStringsHandler } = require('@trieb.work/nextjs-turbo-redis-cache')
const { default: FileSystemCache } = require('next/dist/server/lib/incremental-cache/file-system-cache')

let handler

class TurboHandler {
  constructor() {
    const inMemoryCachingTime = Number(process.env.BENCH_L1_MS)
    handler ??= new RedisStringsHandler({
      redisUrl: process.env.REDIS_URL,
      database: 0,
      keyPrefix: 'bench:',
      inMemoryCachingTime,
      redisGetDeduplication: inMemoryCachingTime > 0,
    })
  }
  get(...args) {
    return handler.get(...args)
  }
  set(...args) {
    return handler.set(...args)
  }
  revalidateTag(...args) {
    return handler.revalidateTag(...args)
  }
  resetRequestCache(...args) {
    return handler.resetRequestCache?.(...args)
  }
}

module.exports = process.env.BENCH_PEER ? TurboHandler : FileSystemCache
