import { describe, expect, it } from 'vitest'
import { nearestName } from '../../src/nearest-name'
import { resolveOptions } from '../../src/resolve-options'
import { validateOptions } from '../../src/validate-options'

const project = { driver: 'ioredis', keyPrefix: 'ndc:shop', images: false } as const

describe('validateOptions', () => {
  it.each<[unknown, string]>([
    ['strict', 'The options are "strict". Use an object.'],
    [[], 'The options are an array. Use an object.'],
    [null, 'The options are null. Use an object.'],
    [{ prest: 'strict' }, 'Unknown option "prest". Did you mean "preset"? Known options: preset, driver,'],
    [{ l1: { maxByte: 1 } }, 'Unknown option "l1.maxByte". Did you mean "l1.maxBytes"?'],
    [{ redisUrl: 'redis://x' }, 'Unknown option "redisUrl". Known options: '],
    [{ __proto__x: 1 }, 'Unknown option "__proto__x"'],
    [{ constructor: 1 }, 'Unknown option "constructor"'],
    [
      { preset: 'stric' },
      "Option \"preset\" is \"stric\". Did you mean 'strict'? Use 'strict' or 'l1-pubsub'.",
    ],
    [{ driver: 'node-redis' }, "Use 'ioredis' or 'redis'."],
    [{ driver: 5 }, "Option \"driver\" is 5. Use 'ioredis' or 'redis'."],
    [{ useCache: 'remote' }, 'Option "useCache" is "remote".'],
    [{ images: 'yes' }, 'Option "images" is "yes". Use true or false.'],
    [{ namespace: '' }, 'Option "namespace" is "". Use a non-empty string.'],
    [{ namespace: 7 }, 'Option "namespace" is 7. Use a non-empty string.'],
    [{ keyPrefix: 'a b' }, 'Option "keyPrefix" is "a b", which has characters that are not safe'],
    [{ keyPrefix: 'a{b}' }, 'letters, digits and : . _ - @ / ~ + only'],
    [{ keyPrefix: 'a*' }, 'not safe in a Redis key name'],
    [{ keyPrefix: 'a\nb' }, 'Option "keyPrefix" is "a\\nb"'],
    [{ keyPrefix: 'x'.repeat(129) }, 'Option "keyPrefix" has 129 characters. Use at most 128.'],
    [{ singleFlight: true }, 'Option "singleFlight" is true. Use an object.'],
    [
      { singleFlight: { leaseMs: 10 } },
      'Option "singleFlight.leaseMs" is 10. Use a whole number of milliseconds from 100 to 60000.',
    ],
    [{ singleFlight: { waitMs: '1s' } }, 'Option "singleFlight.waitMs" is "1s".'],
    [{ l1: 5 }, 'Option "l1" is 5. Use an object.'],
    [{ l1: { maxBytes: -1 } }, 'Option "l1.maxBytes" is -1. Use a whole number of bytes'],
    [
      { l1: { maxBytes: 1, maxEntryBytes: 2 } },
      'Option "l1.maxEntryBytes" (2) is larger than "l1.maxBytes" (1).',
    ],
    [{ timeouts: { connectMs: 0 } }, 'Option "timeouts.connectMs" is 0.'],
    [{ timeouts: { commandMs: Number.NaN } }, 'Option "timeouts.commandMs" is NaN.'],
    [{ timeouts: { requestBudgetMs: 1.5 } }, 'Option "timeouts.requestBudgetMs" is 1.5.'],
    [{ compression: 'gz' }, 'Option "compression" is "gz". Did you mean \'gzip\'?'],
    [
      { compression: { thresholdBytes: 1 } },
      "Option \"compression.codec\" is missing. Use 'none', 'gzip', 'brotli' or 'zstd'.",
    ],
    [{ compression: { codec: 'lz4' } }, 'Option "compression.codec" is "lz4".'],
    [{ compression: { codec: 'gzip', thresholdBytes: -1 } }, 'Option "compression.thresholdBytes" is -1.'],
    [{ invalidation: {} }, 'Unknown option "invalidation". Did you mean "invalidations"?'],
    [{ invalidations: { onFail: 'x' } }, 'Unknown option "invalidations.onFail".'],
    [
      { invalidations: { onFailure: 'rejct' } },
      "Option \"invalidations.onFailure\" is \"rejct\". Did you mean 'reject'? Use 'journal' or 'reject'.",
    ],
    [
      { invalidations: { replicas: -1 } },
      'Option "invalidations.replicas" is -1. Use a whole number of replicas',
    ],
    [{ maxEntryBytes: 2 ** 30 }, 'Option "maxEntryBytes" is 1073741824. Use a whole number of bytes'],
    [{ maxTtlSeconds: 0 }, 'Option "maxTtlSeconds" is 0. Use a whole number of seconds from 1 to'],
    [{ fallback: 'x' }, 'Option "fallback" is "x". Use an object.'],
    [{ fallback: { cacheHandler: 1 } }, 'Option "fallback.cacheHandler" is 1. Use the path of a module'],
    [{ fallback: { cacheHandlers: [] } }, 'Option "fallback.cacheHandlers" is an array.'],
    [
      { fallback: { cacheHandlers: { sessions: './x' } } },
      'Option "fallback.cacheHandlers.sessions" names a kind that this package does not serve.',
    ],
    [{ fallback: { cacheHandlers: { default: '' } } }, 'Option "fallback.cacheHandlers.default" is "".'],
  ])('%j', (options, message) => {
    const validate = () => validateOptions(options)
    expect(validate).toThrow(message)
    expect(validate).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: expect.stringMatching(/^\[next-distributed-cache\] .+\.$/s),
      }),
    )
  })

  it('accepts every documented option', () => {
    const options = {
      preset: 'l1-pubsub',
      driver: 'redis',
      useCache: 'remote-only',
      images: true,
      fallback: { cacheHandler: './a.ts', cacheHandlers: { default: './b.mjs', remote: './c.js' } },
      namespace: 'release-7',
      keyPrefix: 'ndc:@scope/shop',
      singleFlight: { leaseMs: 3000, waitMs: 5000 },
      l1: { maxBytes: 1000, maxEntryBytes: 100 },
      timeouts: { connectMs: 1, commandMs: 2, requestBudgetMs: 3 },
      invalidations: { onFailure: 'reject', replicas: 2 },
      compression: { codec: 'brotli', thresholdBytes: 10 },
      maxEntryBytes: 5,
      maxTtlSeconds: 6,
    } as const
    expect(validateOptions(options)).toBe(options)
    expect(validateOptions({ singleFlight: false, compression: 'zstd', namespace: undefined })).toBeDefined()
  })
})

describe('resolveOptions', () => {
  it('fills in every default', () => {
    expect(resolveOptions({}, project)).toEqual({
      preset: 'strict',
      driver: 'ioredis',
      useCache: 'all',
      images: false,
      namespace: undefined,
      keyPrefix: 'ndc:shop',
      singleFlight: { leaseMs: 1500, waitMs: 5_000 },
      l1: { maxBytes: 64 * 1024 * 1024, maxEntryBytes: 4 * 1024 * 1024 },
      timeouts: { connectMs: 2000, commandMs: 500, requestBudgetMs: 1000 },
      invalidations: { onFailure: 'journal', replicas: 0 },
      compression: { codec: 'none', thresholdBytes: 4096 },
      maxEntryBytes: 16 * 1024 * 1024,
      maxTtlSeconds: 2_592_000,
    })
  })

  it('keeps what is set, also half of a nested object', () => {
    const resolved = resolveOptions(
      {
        driver: 'redis',
        singleFlight: { waitMs: 1 },
        l1: { maxBytes: 1000 },
        timeouts: { commandMs: 9 },
        invalidations: { replicas: 1 },
        compression: { codec: 'gzip' },
      },
      project,
    )
    expect(resolved.driver).toBe('redis')
    expect(resolved.singleFlight).toEqual({ leaseMs: 1500, waitMs: 1 })
    expect(resolved.l1).toEqual({ maxBytes: 1000, maxEntryBytes: 1000 })
    expect(resolved.timeouts).toEqual({ connectMs: 2000, commandMs: 9, requestBudgetMs: 1000 })
    expect(resolved.invalidations).toEqual({ onFailure: 'journal', replicas: 1 })
    expect(resolved.compression).toEqual({ codec: 'gzip', thresholdBytes: 4096 })
    expect(resolveOptions({ singleFlight: false, compression: 'zstd' }, project)).toMatchObject({
      singleFlight: false,
      compression: { codec: 'zstd', thresholdBytes: 4096 },
    })
  })

  it('takes images from the configuration unless the option says otherwise', () => {
    expect(resolveOptions({}, { ...project, images: true }).images).toBe(true)
    expect(resolveOptions({ images: false }, { ...project, images: true }).images).toBe(false)
  })
})

describe('nearestName', () => {
  it.each([
    ['presets', 'preset'],
    ['kyePrefix', 'keyPrefix'],
    ['KEYPREFIX', 'keyPrefix'],
    ['fallbacks', 'fallback'],
    ['url', undefined],
    ['', undefined],
  ])('%s: %s', (name, nearest) => {
    expect(nearestName(name, ['preset', 'keyPrefix', 'fallback', 'maxEntryBytes'])).toBe(nearest)
  })
})
