import type { NextConfig } from 'next'

/**
 * The one app is built in two variants: Cache Components forbids route segment config and the edge
 * runtime, so what needs those lives in files called `*.classic.tsx`, and what needs `use cache` in
 * files called `*.components.tsx`. A file without either infix belongs to both.
 */
const variant = process.env.STORE_VARIANT === 'classic' ? 'classic' : 'components'

export const nextConfig: NextConfig = {
  output: 'standalone',
  pageExtensions: ['tsx', 'ts', `${variant}.tsx`, `${variant}.ts`],
  cacheComponents: variant === 'components',
}

/** A real application writes its options here, or none; the tests hand theirs over as JSON. */
export const wrapperOptions = JSON.parse(process.env.STORE_OPTIONS ?? '{}')
