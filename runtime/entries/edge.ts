import type { CacheHandler, UseCacheHandler } from '../handlers/next-types'

/**
 * What edge-runtime routes get: nothing is cached there. It must not import anything, since it is bundled
 * into every edge function.
 */
export class EdgeCacheHandler implements CacheHandler {
  get(): Promise<null> {
    return Promise.resolve(null)
  }
  set(): Promise<void> {
    return Promise.resolve()
  }
  revalidateTag(): Promise<void> {
    return Promise.resolve()
  }
  resetRequestCache(): void {}
}

export const edgeUseCacheHandler: UseCacheHandler = {
  get: () => Promise.resolve(undefined),
  set: () => Promise.resolve(),
  refreshTags: () => Promise.resolve(),
  getExpiration: () => Promise.resolve(0),
  updateTags: () => Promise.resolve(),
}
