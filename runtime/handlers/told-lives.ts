import type { CacheControl } from './next-types'
import type { NextAbilities } from './next-version'

/** Tells Next the life of the response that it is about to be given. */
export type TellLife = (cacheKey: string, cacheControl: CacheControl) => void

interface Modules {
  SharedCacheControls: { cacheControls: Map<string, CacheControl> }
  toRoute: (path: string) => string
}

/**
 * Before 16.4 a handler cannot say how long a response lives: Next takes what it tells browsers and proxies (`Cache-Control`)
 * from a map of its process, which knows only what this process rendered. So what another replica rendered would be
 * answered without it. As in one process, the map knows every path that was rendered and served.
 *
 * Source: `SharedCacheControls` and `IncrementalCache.get` of next@16.2 and 16.3, which ask for the route of a path and,
 * from 16.3.8 on, for the key. It is internal, hence the guard.
 */
export function createTellLife(
  abilities: Pick<NextAbilities, 'honoursCacheControl'>,
  load: () => Modules = requireModules,
): TellLife {
  if (abilities.honoursCacheControl) return () => {}
  try {
    const { SharedCacheControls, toRoute } = load()
    const lives = SharedCacheControls.cacheControls
    if (!(lives instanceof Map) || toRoute('/index') !== '/') return () => {}
    return (cacheKey, cacheControl) => {
      lives.set(cacheKey.includes('/$/') ? cacheKey : toRoute(cacheKey), cacheControl)
    }
  } catch {
    return () => {}
  }
}

function requireModules(): Modules {
  return {
    ...(require('next/dist/server/lib/incremental-cache/shared-cache-controls.external.js') as Pick<
      Modules,
      'SharedCacheControls'
    >),
    ...(require('next/dist/server/lib/to-route.js') as Pick<Modules, 'toRoute'>),
  }
}
