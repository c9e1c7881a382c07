import type { NextConfig } from 'next'
import type { DistributedCacheOptions } from '../src/options'
import type { AnyNextConfig, NextConfigFunction } from './config-shape'
import { applyDistributedCache } from './with-distributed-cache'

export type { Codec, DistributedCacheOptions, Driver, Preset } from '../src/options'

// First, since the wrapper around this one may be typed: nothing but a config of type `any` is all shapes at once. It also
// tells what a function returns, without which `output: 'standalone'` in it would be any text.
export function withDistributedCache(
  nextConfig: NextConfig & NextConfigFunction & Promise<NextConfig>,
  options?: DistributedCacheOptions,
): NextConfig
export function withDistributedCache<Result extends NextConfig | Promise<NextConfig>>(
  nextConfig: NextConfigFunction<Result>,
  options?: DistributedCacheOptions,
): NextConfigFunction<Result>
export function withDistributedCache(
  nextConfig: Promise<NextConfig>,
  options?: DistributedCacheOptions,
): Promise<NextConfig>
/**
 * Makes every replica of a self-hosted Next.js application share its caches through Redis or Valkey. Where Redis is, and
 * whether the cache is on, is read from the environment when the server process starts.
 *
 * Returns the config in the shape it got it in (object, promise, function, async function) and changes
 * nothing of what it was given. A `cacheHandler` or `cacheHandlers` that is there already becomes what
 * `DISTRIBUTED_CACHE=off` goes back to.
 *
 * @param nextConfig what next.config would export without this package, or another wrapper returns
 * @param options every one has a default
 * @throws Error with a `code` and the fix in its message: `INVALID_OPTION` at once; when Next.js evaluates the config,
 *   `INVALID_CONFIG`, `UNSUPPORTED_NEXT`, `MISSING_DRIVER`, `UNSUPPORTED_DRIVER`, `OUTSIDE_PROJECT_ROOT` or
 *   `INVALID_FALLBACK`
 *
 * @example
 * import { withDistributedCache } from 'next-distributed-cache'
 * export default withDistributedCache({ output: 'standalone' })
 */
export function withDistributedCache(nextConfig: NextConfig, options?: DistributedCacheOptions): NextConfig
export function withDistributedCache(
  nextConfig: AnyNextConfig,
  options?: DistributedCacheOptions,
): AnyNextConfig {
  return applyDistributedCache(nextConfig, options)
}
