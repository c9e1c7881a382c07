import type { NextConfig } from 'next'
import { describe, expectTypeOf, it } from 'vitest'
import { type DistributedCacheOptions, withDistributedCache } from '../../plugin/index'

describe('withDistributedCache', () => {
  it('gives back the shape that it gets', () => {
    expectTypeOf(withDistributedCache({ output: 'standalone' })).toEqualTypeOf<NextConfig>()
    expectTypeOf(withDistributedCache(Promise.resolve<NextConfig>({}))).toEqualTypeOf<Promise<NextConfig>>()
    const made = withDistributedCache((phase) => {
      expectTypeOf(phase).toEqualTypeOf<string>()
      return {} as NextConfig
    })
    expectTypeOf(made).returns.toEqualTypeOf<NextConfig>()
    const later = withDistributedCache(async (_phase, { defaultConfig }) => defaultConfig)
    expectTypeOf(later).returns.toEqualTypeOf<Promise<NextConfig>>()
    const either = withDistributedCache((): NextConfig | Promise<NextConfig> => ({}))
    expectTypeOf(either).returns.toEqualTypeOf<NextConfig | Promise<NextConfig>>()
  })

  it('a function may return what the config could be, as it stands there', () => {
    withDistributedCache(() => ({ output: 'standalone', images: { formats: ['image/webp'] } }))
    withDistributedCache((phase) => ({ output: 'standalone', distDir: phase }))
    expectTypeOf(withDistributedCache(async () => ({ output: 'standalone' })))
      .returns.resolves.toHaveProperty('output')
      .toEqualTypeOf<'standalone'>()
    withDistributedCache(async (phase, { defaultConfig }) => {
      if (phase === 'phase-export') return { output: 'export' }
      return { ...defaultConfig, output: 'standalone' }
    })
    // @ts-expect-error not an output that Next has
    withDistributedCache(() => ({ output: 'standalon' }))
    // @ts-expect-error not an output that Next has
    withDistributedCache(async (_phase) => ({ output: 'standalon' }))
  })

  it('can be applied inside and outside of other wrappers', () => {
    const other = (config: NextConfig): NextConfig => config
    expectTypeOf(other(withDistributedCache({}))).toEqualTypeOf<NextConfig>()
    expectTypeOf(withDistributedCache(other({}))).toEqualTypeOf<NextConfig>()
    const making = (_config: NextConfig) => async (_phase: string) => ({}) as NextConfig
    expectTypeOf(withDistributedCache(making({}))).returns.resolves.toEqualTypeOf<NextConfig>()
    const untyped = (_config: NextConfig): any => ({})
    expectTypeOf(other(withDistributedCache(untyped({})))).toEqualTypeOf<NextConfig>()
  })

  it('checks the config and the options', () => {
    // @ts-expect-error not an output that Next has
    withDistributedCache({ output: 'standalon' })
    // @ts-expect-error no such option
    withDistributedCache({}, { prest: 'strict' })
    // @ts-expect-error not a preset
    withDistributedCache({}, { preset: 'fast' })
    // @ts-expect-error a number of bytes
    withDistributedCache({}, { l1: { maxBytes: '64mb' } })
    // @ts-expect-error a config is needed
    withDistributedCache()
    withDistributedCache({}, { singleFlight: false, compression: 'zstd' })
    withDistributedCache({}, { compression: { codec: 'gzip' }, singleFlight: { waitMs: 1 } })
  })

  it('every option is optional', () => {
    expectTypeOf<object>().toExtend<DistributedCacheOptions>()
    // Also with exactOptionalPropertyTypes: a variable that is not set leaves an option out.
    const variable = undefined as string | undefined
    withDistributedCache({}, { namespace: variable, l1: undefined, singleFlight: { waitMs: undefined } })
    expectTypeOf<DistributedCacheOptions['driver']>().toEqualTypeOf<'ioredis' | 'redis' | undefined>()
  })
})
