import type { CacheHandlerClass } from '../handlers/next-types'

// The condition is written out: bundlers drop the branch that is not theirs, and with it what it requires.
let handler: CacheHandlerClass
if (process.env.NEXT_RUNTIME === 'edge') {
  handler = (require('./edge') as typeof import('./edge')).EdgeCacheHandler
} else {
  const { handlersOf } = require('./host') as typeof import('./host')
  const { modules } = require('./ioredis') as typeof import('./ioredis')
  handler = handlersOf(modules).CacheHandler
}

export = handler
