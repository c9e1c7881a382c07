/**
 * What Next.js expects of handlers, written down here rather than imported, so that one build of this
 * package serves every supported version. Source: next@16.4.6,
 * `dist/server/lib/cache-handlers/types.d.ts`, `dist/server/lib/incremental-cache/index.d.ts` and
 * `dist/server/response-cache/types.d.ts`. test/types checks these against the installed Next.
 */

/** Milliseconds since the epoch on this process's clock (`performance.timeOrigin + performance.now()`). */
export type Timestamp = number

/** `durations` of `revalidateTag(tag, profile)`: seconds until stale content may no longer be served. */
export interface TagDurations {
  expire?: number | undefined
}

/** An entry of `use cache`. */
export interface UseCacheEntry {
  value: ReadableStream<Uint8Array>
  /** Explicit tags; soft tags are handed to `get`. */
  tags: string[]
  /** For the client's router cache [seconds] */
  stale: number
  /** Start of the generation [ms] */
  timestamp: Timestamp
  /** Hard limit of use [seconds], may be Infinity */
  expire: number
  /** Refresh after [seconds], may be Infinity; -1 forces a background refresh */
  revalidate: number
}

/** One value of `cacheHandlers` (`use cache`). */
export interface UseCacheHandler {
  get(cacheKey: string, softTags: string[]): Promise<UseCacheEntry | undefined>
  set(cacheKey: string, pendingEntry: Promise<UseCacheEntry>): Promise<void>
  refreshTags(): Promise<void>
  getExpiration(tags: string[]): Promise<Timestamp>
  updateTags(tags: string[], durations?: TagDurations): Promise<void>
}

export interface CacheControl {
  revalidate: number | false
  expire?: number | undefined
}

type Headers = Record<string, undefined | string | string[]>

export type ResponseValue =
  | {
      kind: 'APP_PAGE'
      html: string
      rscData?: Buffer | undefined
      postponed?: string | undefined
      headers?: Headers | undefined
      status?: number | undefined
      segmentData?: Map<string, Buffer> | undefined
    }
  | { kind: 'APP_ROUTE'; body: Buffer; headers: Headers; status: number }
  | {
      kind: 'PAGES'
      html: string
      pageData: object
      headers?: Headers | undefined
      status?: number | undefined
    }
  | { kind: 'REDIRECT'; props: object }
  | {
      kind: 'FETCH'
      data: {
        headers: Record<string, string>
        /** Base64, or JSON; undefined where an `unstable_cache` function returned nothing. */
        body?: string | undefined
        url: string
        status?: number | undefined
      }
      tags?: string[] | undefined
      revalidate: number
    }
  | {
      kind: 'IMAGE'
      etag: string
      upstreamEtag: string
      buffer: Buffer
      extension: string
      isMiss?: boolean | undefined
      isStale?: boolean | undefined
      revalidate?: number | undefined
    }

export type ResponseKind = ResponseValue['kind']

export interface CacheHandlerGetContext {
  kind: ResponseKind
  isRoutePPREnabled?: boolean | undefined
  isFallback?: boolean | undefined
  /** FETCH only: seconds */
  revalidate?: number | false | undefined
  tags?: string[] | undefined
  softTags?: string[] | undefined
}

export interface CacheHandlerSetContext {
  fetchCache?: boolean | undefined
  tags?: string[] | undefined
  cacheControl?: CacheControl | undefined
  isRoutePPREnabled?: boolean | undefined
  isFallback?: boolean | undefined
  kind?: ResponseKind | undefined
}

export interface CacheHandlerValue {
  /** [ms]; -1 forces a blocking revalidation */
  lastModified?: number
  value: ResponseValue | null
  /** Honoured from Next 16.4.0. */
  cacheControl?: CacheControl
}

/** What Next passes to the constructor; a handler may ignore all of it. */
export interface CacheHandlerContext {
  dev?: boolean
  fs?: unknown
  flushToDisk?: boolean
  serverDistDir?: string
  revalidatedTags?: string[]
  maxMemoryCacheSize?: number
  fetchCacheKeyPrefix?: string
  _requestHeaders?: Record<string, undefined | string | string[]>
}

/** `cacheHandler` of next.config: constructed about three times per request. */
export interface CacheHandler {
  get(cacheKey: string, context: CacheHandlerGetContext): Promise<CacheHandlerValue | null>
  set(cacheKey: string, value: ResponseValue | null, context: CacheHandlerSetContext): Promise<void>
  revalidateTag(tags: string | string[], durations?: TagDurations): Promise<void>
  resetRequestCache(): void
}

export type CacheHandlerClass = new (context: CacheHandlerContext) => CacheHandler
