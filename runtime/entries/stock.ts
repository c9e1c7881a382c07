import type { CacheHandlerClass, CacheHandlerContext, UseCacheHandler } from '../handlers/next-types'
import type { Handlers, StockSettings } from './contract'
import { withImagesOnDisk } from './images-on-disk'

// Literal requires of the very modules that Next would use: both bundlers trace them, and the process has
// one copy of each.

/** The same class, constructed with the memory size that the application had: the build bakes 0. */
export function withMemorySize(Base: CacheHandlerClass, memoryBytes: number): CacheHandlerClass {
  return class WithMemorySize extends Base {
    constructor(context: CacheHandlerContext) {
      super({ ...context, maxMemoryCacheSize: memoryBytes })
    }
  }
}

/** Next's own response cache. */
export function createStockCacheHandler({ memoryBytes, imageDiskBytes }: StockSettings): CacheHandlerClass {
  const loaded = require('next/dist/server/lib/incremental-cache/file-system-cache') as { default: unknown }
  const FileSystemCache = loaded.default as CacheHandlerClass
  return withImagesOnDisk(withMemorySize(FileSystemCache, memoryBytes), imageDiskBytes)
}

/** Next's own `use cache` handler. */
export function createStockUseCacheHandler(memoryBytes: number): UseCacheHandler {
  const loaded = require('next/dist/server/lib/cache-handlers/default') as {
    createDefaultCacheHandler: (maxBytes: number) => UseCacheHandler
  }
  const handler = loaded.createDefaultCacheHandler(memoryBytes)
  markBuiltIn(handler)
  return handler
}

function builtInHandlers(): Set<unknown> | undefined {
  const set = (globalThis as Record<symbol, unknown>)[Symbol.for('@next/cache-handlers-built-in')]
  return set instanceof Set ? set : undefined
}

/** Next (16.3 and later) saves itself work with handlers that it knows to be its own. */
export function markBuiltIn(handler: UseCacheHandler): void {
  builtInHandlers()?.add(handler)
}

export function isBuiltIn(handler: UseCacheHandler): boolean {
  return builtInHandlers()?.has(handler) ?? false
}

/** What serves when the wrapper might as well not be there. One object for every kind, as in Next. */
export function createStockHandlers(settings: StockSettings): Handlers {
  const handler = createStockUseCacheHandler(settings.memoryBytes)
  return {
    CacheHandler: createStockCacheHandler(settings),
    useCacheHandlers: { default: handler, remote: handler },
  }
}
