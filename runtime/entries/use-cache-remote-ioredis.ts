import type { UseCacheHandler } from '../handlers/next-types'

// The condition is written out: bundlers drop the branch that is not theirs, and with it what it requires.
let handler: UseCacheHandler
if (process.env.NEXT_RUNTIME === 'edge') {
  handler = (require('./edge') as typeof import('./edge')).edgeUseCacheHandler
} else {
  const { handlersOf } = require('./host') as typeof import('./host')
  const { modules } = require('./ioredis') as typeof import('./ioredis')
  handler = handlersOf(modules).useCacheHandlers.remote
}

export = handler
