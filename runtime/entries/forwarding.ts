import type { CacheHandlerClass, TagDurations, UseCacheHandler } from '../handlers/next-types'
import type { InvalidationForwarder } from '../index'
import type { Handlers } from './contract'
import { isBuiltIn, markBuiltIn } from './stock'

function forwardFromClass(Base: CacheHandlerClass, forwarder: InvalidationForwarder): CacheHandlerClass {
  return class ForwardingCacheHandler extends Base {
    override async revalidateTag(tags: string | string[], durations?: TagDurations): Promise<void> {
      const forwarded = forwarder.invalidate(typeof tags === 'string' ? [tags] : tags, durations)
      try {
        await super.revalidateTag(tags, durations)
      } finally {
        // Never rejects and has its own deadline: acknowledged means that the fleet knows, too.
        await forwarded
      }
    }
  }
}

function forwardFromObject(handler: UseCacheHandler, forwarder: InvalidationForwarder): UseCacheHandler {
  const forwarding: UseCacheHandler = {
    get: (key, softTags) => handler.get(key, softTags),
    set: (key, entry) => handler.set(key, entry),
    refreshTags: () => handler.refreshTags(),
    getExpiration: (tags) => handler.getExpiration(tags),
    async updateTags(tags, durations) {
      const forwarded = forwarder.invalidate(tags, durations)
      try {
        await handler.updateTags(tags, durations)
      } finally {
        await forwarded
      }
    },
  }
  if (isBuiltIn(handler)) markBuiltIn(forwarding)
  return forwarding
}

/** The same handlers, whose invalidations also reach the replicas that are on. */
export function withForwarding(handlers: Handlers, forwarder: InvalidationForwarder): Handlers {
  const { CacheHandler, useCacheHandlers } = handlers
  const forwardingDefault = forwardFromObject(useCacheHandlers.default, forwarder)
  return {
    CacheHandler: forwardFromClass(CacheHandler, forwarder),
    useCacheHandlers: {
      default: forwardingDefault,
      remote:
        useCacheHandlers.remote === useCacheHandlers.default
          ? forwardingDefault
          : forwardFromObject(useCacheHandlers.remote, forwarder),
    },
  }
}
