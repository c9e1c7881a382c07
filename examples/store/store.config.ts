import type { NextConfig } from 'next'

/**
 * Cache Components forbids route segment config and the edge runtime. What needs those is in the
 * `classic` variant of this app: the same directory with app/ replaced by classic/app/.
 */
export const nextConfig: NextConfig = {
  output: 'standalone',
  cacheComponents: process.env.STORE_VARIANT !== 'classic',
}

/** A real application writes its options here, or none; the tests hand theirs over as JSON. */
export const wrapperOptions = JSON.parse(process.env.STORE_OPTIONS ?? '{}')
