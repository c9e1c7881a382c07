import { dirname } from 'node:path'
import type {
  CacheHandlerClass,
  CacheHandlerContext,
  CacheHandlerGetContext,
  CacheHandlerSetContext,
  CacheHandlerValue,
  ResponseValue,
} from '../handlers/next-types'

/** Next's disk cache of optimised images: what keeps them when no cache handler does. */
interface ImageCache {
  get(key: string): Promise<{
    value: ResponseValue
    cacheControl?: { revalidate: number }
    isStale?: boolean
  } | null>
  set(key: string, value: ResponseValue | null, options: { cacheControl: unknown }): Promise<void>
}

function createImageCache(context: CacheHandlerContext, diskBytes: number | undefined): ImageCache {
  // A literal require of the very module that Next would use, so that bundlers trace it.
  const { ImageOptimizerCache } = require('next/dist/server/image-optimizer') as {
    ImageOptimizerCache: new (options: object) => ImageCache
  }
  return new ImageOptimizerCache({
    distDir: dirname(context.serverDistDir ?? ''),
    // The optimizer in front of the handler applies minimumCacheTTL itself.
    nextConfig: {
      images: { minimumCacheTTL: 0, maximumDiskCacheSize: diskBytes },
      experimental: { isrFlushToDisk: context.flushToDisk ?? false },
    },
  })
}

/** The same handler, except that images go where Next keeps them as long as no handler takes them. */
export function withImagesOnDisk(Base: CacheHandlerClass, diskBytes: number | undefined): CacheHandlerClass {
  return class ImagesOnDisk extends Base {
    private readonly openImageCache: () => ImageCache

    constructor(context: CacheHandlerContext) {
      super(context)
      let cache: ImageCache | undefined
      this.openImageCache = () => (cache ??= createImageCache(context, diskBytes))
    }

    override async get(key: string, context: CacheHandlerGetContext): Promise<CacheHandlerValue | null> {
      if (context.kind !== 'IMAGE') return super.get(key, context)
      const entry = await this.openImageCache().get(key)
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
      await this.openImageCache().set(key, value, { cacheControl: context.cacheControl })
    }
  }
}
