import { DistributedCacheError } from '../src/errors'
import { createKeyNames } from '../src/key-names'
import type { Bytes, Milliseconds } from '../src/units'
import { Cache } from './cache/cache'
import { Invalidator } from './cache/invalidator'
import { createCacheHandlerClass } from './handlers/response-handler'
import { windowSecondsOf } from './handlers/tag-durations'
import { createUseCacheHandler } from './handlers/use-cache-handler'
import type { InvalidationForwarder, Runtime, RuntimeConfig } from './index'
import { createLogger } from './logger'
import { createLocalStore } from './memory/local-store'
import { createMemoryStore } from './memory/memory-store'
import { createRedisStore } from './store/redis-store'
import type { Store } from '../src/store'
import { createEmit } from './telemetry'

/** What a build worker may hold. The heap of a build is larger than that of a server. */
const BUILD_MEMORY_BYTES: Bytes = 256 * 1024 * 1024
/** The tag state outlives the longest entry by this much. */
const STATE_MARGIN_MS: Milliseconds = 24 * 3600 * 1000

/** Puts the parts together; what belongs to whom is design section 6. */
export function createRuntime(config: RuntimeConfig): Runtime & InvalidationForwarder {
  const emit = createEmit(config.debug)
  const log = createLogger()
  if (config.options.preset === 'l1-pubsub' && config.backend === 'redis') {
    log('The preset l1-pubsub is not available in this version', 'every read consults Redis, as with strict')
  }
  const names = createKeyNames(config.options.keyPrefix, config.namespace)
  const store =
    config.backend === 'memory' ? createMemoryStore(BUILD_MEMORY_BYTES) : openRedisStore(config, names, log)
  const invalidator = new Invalidator(store, emit, log)
  const cacheOn = (backing: Store) =>
    new Cache({ store: backing, names, options: config.options, invalidator, emit, log })

  const cache = cacheOn(store)
  const shared = createUseCacheHandler(cache)
  // One object for both kinds: Next then announces every invalidation once, not twice.
  const local =
    config.options.useCache === 'remote-only'
      ? createUseCacheHandler(cacheOn(createLocalStore(store, config.options.l1)))
      : shared

  return {
    CacheHandler: createCacheHandlerClass(cache),
    useCacheHandlers: { default: local, remote: shared },
    invalidate: (tags, durations) => cache.invalidate(tags, windowSecondsOf(durations)),
    close: () => store.close(),
  }
}

function openRedisStore(
  { options, url, createClient }: RuntimeConfig,
  names: { tags: string },
  log: ReturnType<typeof createLogger>,
): Store {
  if (url === undefined || createClient === undefined) {
    throw new DistributedCacheError(
      'ROUTER',
      'The redis backend needs a URL and a driver. Set REDIS_URL, and install ioredis or redis.',
    )
  }
  const client = createClient({
    url,
    connectMs: options.timeouts.connectMs,
    commandMs: options.timeouts.commandMs,
    clientName: options.keyPrefix,
  })
  const unregister = client.onEvent((event) => {
    if (event.type === 'end')
      log('The connection to Redis ended; this replica reconnects by itself', event.reason)
  })
  const store = createRedisStore({
    client,
    names,
    connectMs: options.timeouts.connectMs,
    stateTtlMs: options.maxTtlSeconds * 1000 + STATE_MARGIN_MS,
    onError: (what, error) => log(`${what} failed`, String(error)),
  })
  return {
    ...store,
    close() {
      unregister()
      return store.close()
    },
  }
}
