import type { CacheHandlerClass, UseCacheHandler } from '../handlers/next-types'
import type { FallbackModules, Handlers, StockSettings } from './contract'
import { withImagesOnDisk } from './images-on-disk'
import { createStockCacheHandler, createStockUseCacheHandler, withMemorySize } from './stock'

/** As Next takes a handler out of its module: the default export, or the module itself. */
function defaultExport(loaded: unknown): unknown {
  const inner = (loaded as { default?: unknown } | null | undefined)?.default
  return inner ?? loaded
}

function loadCacheHandler(load: () => unknown, settings: StockSettings): CacheHandlerClass {
  const loaded = defaultExport(load())
  if (typeof loaded !== 'function') throw new TypeError('the fallback cacheHandler does not export a class')
  const own = withMemorySize(loaded as CacheHandlerClass, settings.memoryBytes)
  return settings.imagesInHandler ? own : withImagesOnDisk(own, settings.imageDiskBytes)
}

function loadUseCacheHandler(load: () => unknown, kind: string): UseCacheHandler {
  const loaded = defaultExport(load())
  if (typeof (loaded as UseCacheHandler | null)?.get !== 'function')
    throw new TypeError(`the fallback cacheHandlers.${kind} does not export a cache handler`)
  return loaded as UseCacheHandler
}

/** The handlers that the application had; Next's own where it had none. */
export function createFallbackHandlers(modules: FallbackModules, settings: StockSettings): Handlers {
  const { memoryBytes } = settings
  let stock: UseCacheHandler | undefined
  const useCacheHandler = (kind: 'default' | 'remote') => {
    const load = modules[kind]
    return load === undefined
      ? (stock ??= createStockUseCacheHandler(memoryBytes))
      : loadUseCacheHandler(load, kind)
  }
  return {
    CacheHandler:
      modules.cacheHandler === undefined
        ? createStockCacheHandler(settings)
        : loadCacheHandler(modules.cacheHandler, settings),
    useCacheHandlers: { default: useCacheHandler('default'), remote: useCacheHandler('remote') },
  }
}
