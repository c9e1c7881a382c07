import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { isCodecAvailable } from '../../src/compression'
import type { Codec } from '../../src/options'
import { type RedisServer, startRedis } from '../support/redis-server'
import { contentOf, createFleet, record, useCacheEntry } from '../support/replicas'

let redis: RedisServer
const fleet = createFleet()

beforeAll(async () => void (redis = await startRedis()))
afterEach(() => fleet.stop())
afterAll(() => redis.stop())

const content = 'all work and no play '.repeat(5000)

it.each(['none', 'gzip', 'brotli', 'zstd'] as Codec[])(
  '%s: replicas read each other, whatever each of them writes',
  async (codec) => {
    await redis.command('FLUSHALL')
    const options = { compression: { codec, thresholdBytes: 1024 } }
    const writer = fleet.start({ url: redis.url, driver: 'ioredis', options }).useCacheHandlers.default
    const reader = fleet.start({ url: redis.url, driver: 'redis' }).useCacheHandlers.default
    await writer.get('k', [])
    const [write] = await record('write', () => writer.set('k', Promise.resolve(useCacheEntry(content))))
    expect(write?.outcome).toBe('stored')
    // Where Node has no zstd the entry is stored as it is.
    if (codec !== 'none' && isCodecAvailable(codec)) expect(write?.bytes).toBeLessThan(content.length / 10)
    else expect(write?.bytes).toBeGreaterThan(content.length)
    expect(await contentOf(await reader.get('k', []))).toBe(content)
  },
)
