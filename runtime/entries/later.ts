import type {
  CacheHandler,
  CacheHandlerClass,
  CacheHandlerContext,
  UseCacheHandler,
} from '../handlers/next-types'
import type { Handlers } from './contract'
import { isBuiltIn, markBuiltIn } from './stock'

/** For what takes longer than everything else of a start: whoever requires the handlers has them before. */
export async function inNextTurn<Made>(make: () => Made): Promise<Made> {
  await new Promise<void>((resolve) => void setImmediate(resolve))
  return make()
}

function classOnce(decided: Promise<Handlers>): CacheHandlerClass {
  let Decided: CacheHandlerClass | undefined
  // Whoever calls is told why there are no handlers.
  decided.then(
    ({ CacheHandler }) => (Decided = CacheHandler),
    () => {},
  )

  function waiting(context: CacheHandlerContext): CacheHandler {
    const made = decided.then(({ CacheHandler }) => new CacheHandler(context))
    // A class of the application may throw: whoever calls is told.
    made.catch(() => {})
    return {
      get: async (key, getContext) => (await made).get(key, getContext),
      set: async (key, value, setContext) => (await made).set(key, value, setContext),
      revalidateTag: async (tags, durations) => (await made).revalidateTag(tags, durations),
      resetRequestCache: () => void made.then((handler) => handler.resetRequestCache()).catch(() => {}),
    }
  }
  // What a constructor returns is what `new` gives: after the first turn nothing of this is on the way of a call.
  return class DistributedCacheHandler {
    constructor(context: CacheHandlerContext) {
      return Decided === undefined ? waiting(context) : new Decided(context)
    }
  } as CacheHandlerClass
}

function objectOnce(decided: Promise<UseCacheHandler>): UseCacheHandler {
  const once: UseCacheHandler = {
    get: async (key, softTags) => (await decided).get(key, softTags),
    async set(key, entry) {
      // It may fail before there is a handler that listens.
      entry.catch(() => {})
      await (await decided).set(key, entry)
    },
    refreshTags: async () => (await decided).refreshTags(),
    getExpiration: async (tags) => (await decided).getExpiration(tags),
    updateTags: async (tags, durations) => (await decided).updateTags(tags, durations),
  }
  decided.then(
    (handler) => {
      once.get = handler.get.bind(handler)
      once.set = handler.set.bind(handler)
      once.refreshTags = handler.refreshTags.bind(handler)
      once.getExpiration = handler.getExpiration.bind(handler)
      once.updateTags = handler.updateTags.bind(handler)
      if (isBuiltIn(handler)) markBuiltIn(once)
    },
    () => {},
  )
  return once
}

/**
 * Handlers before it is known whose they are. Calls until then wait, and after that go to
 * the decided ones directly. Where `decided` rejects, every call does.
 */
export function handlersOnce(decided: Promise<Handlers>, oneForBoth: boolean): Handlers {
  const kind = (name: 'default' | 'remote'): UseCacheHandler =>
    objectOnce(decided.then(({ useCacheHandlers }) => useCacheHandlers[name]))
  const remote = kind('remote')
  return {
    CacheHandler: classOnce(decided),
    useCacheHandlers: { default: oneForBoth ? remote : kind('default'), remote },
  }
}
