import { dirname } from 'node:path'
import type {
  CacheHandler,
  CacheHandlerClass,
  CacheHandlerContext,
  CacheHandlerGetContext,
  CacheHandlerSetContext,
  CacheHandlerValue,
  ResponseValue,
  UseCacheHandler,
} from '../handlers/next-types'
import type { Handlers, StockSettings } from './contract'

const BUILT_IN_HANDLERS = Symbol.for('@next/cache-handlers-built-in')

/** Next's disk cache of optimised images: what serves them when no cache handler does. */
interface ImageCache {
  get(
    key: string,
  ): Promise<{ value: ResponseValue; cacheControl?: { revalidate: number }; isStale?: boolean } | null>
  set(key: string, value: ResponseValue | null, options: { cacheControl: unknown }): Promise<void>
}

// Literal requires of the very modules that Next would use, so that both bundlers trace them and the
// process has one copy of each.
function loadFileSystemCache(): CacheHandlerClass {
  const loaded = require('next/dist/server/lib/incremental-cache/file-system-cache') as { default: unknown }
  return loaded.default as CacheHandlerClass
}

function createImageCache(
  serverDistDir: string,
  flushToDisk: boolean,
  diskBytes: number | undefined,
): ImageCache {
  const { ImageOptimizerCache } = require('next/dist/server/image-optimizer') as {
    ImageOptimizerCache: new (options: object) => ImageCache
  }
  return new ImageOptimizerCache({
    distDir: dirname(serverDistDir),
    // The optimizer in front of the handler applies minimumCacheTTL itself.
    nextConfig: {
      images: { minimumCacheTTL: 0, maximumDiskCacheSize: diskBytes },
      experimental: { isrFlushToDisk: flushToDisk },
    },
  })
}

/**
 * Next's own response cache with the memory size that the application had. Images, which Next keeps
 * elsewhere as long as no handler takes them, go where they would go then.
 */
export function createStockCacheHandler({ memoryBytes, imageDiskBytes }: StockSettings): CacheHandlerClass {
  const FileSystemCache = loadFileSystemCache()
  return class StockCacheHandler extends FileSystemCache implements CacheHandler {
    private imageCache: ImageCache | undefined
    private readonly createImageCache: () => ImageCache

    constructor(context: CacheHandlerContext) {
      super({ ...context, maxMemoryCacheSize: memoryBytes })
      this.createImageCache = () =>
        createImageCache(context.serverDistDir ?? '', context.flushToDisk ?? false, imageDiskBytes)
    }

    override async get(key: string, context: CacheHandlerGetContext): Promise<CacheHandlerValue | null> {
      if (context.kind !== 'IMAGE') return super.get(key, context)
      this.imageCache ??= this.createImageCache()
      const entry = await this.imageCache.get(key)
      if (entry === null || entry.value.kind !== 'IMAGE') return null
      const revalidate = entry.cacheControl?.revalidate ?? 0
      // The optimizer judges by lastModified + revalidate; the disk cache has judged already.
      return { lastModified: entry.isStale ? 1 : Date.now(), value: { ...entry.value, revalidate } }
    }

    override async set(
      key: string,
      value: ResponseValue | null,
      context: CacheHandlerSetContext,
    ): Promise<void> {
      if (value?.kind !== 'IMAGE') return super.set(key, value, context)
      this.imageCache ??= this.createImageCache()
      await this.imageCache.set(key, value, { cacheControl: context.cacheControl })
    }
  }
}

/** Next's own `use cache` handler; one for every kind, as in Next. */
export function createStockUseCacheHandler(memoryBytes: number): UseCacheHandler {
  const loaded = require('next/dist/server/lib/cache-handlers/default') as {
    createDefaultCacheHandler: (maxBytes: number) => UseCacheHandler
  }
  const handler = loaded.createDefaultCacheHandler(memoryBytes)
  markBuiltIn(handler)
  return handler
}

/** Next (16.3 and later) saves itself work with handlers that it knows to be its own. */
export function markBuiltIn(handler: UseCacheHandler): void {
  const builtIn = (globalThis as { [BUILT_IN_HANDLERS]?: unknown })[BUILT_IN_HANDLERS]
  if (builtIn instanceof Set) builtIn.add(handler)
}

export function isBuiltIn(handler: UseCacheHandler): boolean {
  const builtIn = (globalThis as { [BUILT_IN_HANDLERS]?: unknown })[BUILT_IN_HANDLERS]
  return builtIn instanceof Set && builtIn.has(handler)
}

export function createStockHandlers(settings: StockSettings): Handlers {
  const handler = createStockUseCacheHandler(settings.memoryBytes)
  return {
    CacheHandler: createStockCacheHandler(settings),
    useCacheHandlers: { default: handler, remote: handler },
  }
}
