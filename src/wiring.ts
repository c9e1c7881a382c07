import type { Bytes } from './units'

// What build time and request time have to agree on, although neither loads the other.

/** Below `distDir`: everything that is generated for one application. */
export const GENERATED_DIRECTORY = 'distributed-cache'

/** In that directory: the request-time router. */
export const ROUTER_FILE = 'router.cjs'

/** Tells a process where its router is: set when the configuration is evaluated; absolute, and of this process only. */
export const ROUTER_VARIABLE = 'NEXT_DISTRIBUTED_CACHE_ROUTER'

/** What Next uses when `cacheMaxMemorySize` is not configured. Source: `defaultConfig` of next@16.2 to 16.4. */
export const DEFAULT_MEMORY_BYTES: Bytes = 50 * 1024 * 1024
