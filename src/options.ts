/** How a read finds out whether what this process remembers still holds. */
export type Preset = 'strict' | 'l1-pubsub'

/** The Redis client package that carries the commands. */
export type Driver = 'ioredis' | 'redis'

/** How the stored bytes are compressed. */
export type Codec = 'none' | 'gzip' | 'brotli' | 'zstd'

/**
 * Options of `withDistributedCache`. Every field is optional, and `undefined` counts as absent; an invalid or unknown one
 * throws INVALID_OPTION when the config is evaluated. The environment overrides some of them when the server starts.
 */
export interface DistributedCacheOptions {
  /**
   * `strict` consults Redis on every read; `l1-pubsub` serves local memory while its subscription is
   * proven healthy. `DISTRIBUTED_CACHE_PRESET` overrides it at run time.
   * @default 'strict'
   */
  preset?: Preset | undefined
  /** Redis client package. @default the one that is installed, `ioredis` first */
  driver?: Driver | undefined
  /**
   * Which `use cache` kinds live in Redis. With `remote-only`, plain `use cache` entries stay in local
   * memory but are still judged by the shared tag state.
   * @default 'all'
   */
  useCache?: 'all' | 'remote-only' | undefined
  /** Share optimised images (`images.customCacheHandler`, Next 16.2 and later). @default false */
  images?: boolean | undefined
  /** Handlers that `DISTRIBUTED_CACHE=off` routes to. @default the handlers the config already had, else stock Next.js */
  fallback?:
    | {
        /** Module path, absolute or relative to the project directory; may be TypeScript or ESM. */
        cacheHandler?: string | undefined
        /** Module path for each `use cache` kind. */
        cacheHandlers?: Record<string, string> | undefined
      }
    | undefined
  /**
   * Isolates the entries of deployments from each other. At most 128 letters, digits and `: . _ - @ / ~ +`.
   * `DISTRIBUTED_CACHE_NAMESPACE` overrides it at run time.
   * @default the deployment id, else BUILD_ID, at run time
   */
  namespace?: string | undefined
  /**
   * First part of every Redis key: names the application. At most 128 letters, digits and `: . _ - @ / ~ +`.
   * @default `ndc:<name in package.json>`
   */
  keyPrefix?: string | undefined
  /** Fleet-wide single flight: one replica renders what is cold or stale, the others share it. `false` turns it off. */
  singleFlight?:
    | false
    | undefined
    | {
        /** Life of a lease that is not renewed, in milliseconds, 100 to 60000. @default 1500 */
        leaseMs?: number | undefined
        /** Longest wait for another replica's render, in milliseconds, 0 to 300000. @default 5000 */
        waitMs?: number | undefined
      }
  /** The local memory tier. */
  l1?:
    | {
        /** Bytes held at most; 0: nothing is held. @default 67108864 (64 MiB) */
        maxBytes?: number | undefined
        /** Largest entry held, in bytes; no more than `maxBytes`. @default 4194304 (4 MiB), or `maxBytes` if that is less */
        maxEntryBytes?: number | undefined
      }
    | undefined
  /** Upper bounds of what a request may wait for Redis, in milliseconds. */
  timeouts?:
    | {
        /** Time to establish a connection. @default 2000 */
        connectMs?: number | undefined
        /** Time for one command. @default 500 */
        commandMs?: number | undefined
        /**
         * Time for all reads of one request together; the reads that are left when it is used up are misses. Without a
         * request that Next tells of, for each read.
         * @default 1000
         */
        requestBudgetMs?: number | undefined
      }
    | undefined
  /** What becomes of an invalidation that Redis did not take, or might lose. */
  invalidations?:
    | {
        /**
         * An invalidation that does not reach Redis is kept and retried until it does, in either case. With `journal` its
         * caller is not told; with `reject`, those that expire at once (`updateTag`, `revalidatePath`,
         * `revalidateTag(tag, { expire: 0 })`) fail: a server action answers 500. One with a profile never fails:
         * Next.js would leave the response of a server action open.
         * @default 'journal'
         */
        onFailure?: 'journal' | 'reject' | undefined
        /**
         * Replicas of Redis that shall confirm an invalidation (WAIT), within `timeouts.commandMs`. Fewer are logged, and with
         * `reject` thrown; the invalidation holds on the primary all the same. Costs a second connection.
         * @default 0
         */
        replicas?: number | undefined
      }
    | undefined
  /** Compression of the stored bytes: a codec, or a codec with the size from which it is used. @default 'none' */
  compression?:
    | Codec
    | undefined
    | {
        codec: Codec
        /** Smallest payload that is compressed, in bytes. @default 4096 */
        thresholdBytes?: number | undefined
      }
  /**
   * Largest content of an entry, before compression, in bytes; larger ones are neither stored nor read.
   * @default 16777216 (16 MiB)
   */
  maxEntryBytes?: number | undefined
  /** Longest life of an entry, in seconds, at most a year. @default 2592000 (30 days) */
  maxTtlSeconds?: number | undefined
}

/**
 * The options with every default applied: plain data, embedded in the generated router and handed to
 * the runtime when the server process starts.
 */
export interface ResolvedOptions {
  preset: Preset
  driver: Driver
  useCache: 'all' | 'remote-only'
  images: boolean
  /** Undefined: decided when the process starts, from the deployment id or BUILD_ID. */
  namespace: string | undefined
  keyPrefix: string
  singleFlight: false | { leaseMs: number; waitMs: number }
  l1: { maxBytes: number; maxEntryBytes: number }
  timeouts: { connectMs: number; commandMs: number; requestBudgetMs: number }
  invalidations: { onFailure: 'journal' | 'reject'; replicas: number }
  compression: { codec: Codec; thresholdBytes: number }
  maxEntryBytes: number
  maxTtlSeconds: number
}
