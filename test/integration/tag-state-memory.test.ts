import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Driver } from '../../src/options'
import { type RedisServer, type Reply, startRedis } from '../support/redis-server'
import { contentOf, createFleet, DRIVERS, type Replica, useCacheEntry } from '../support/replicas'

// Short by default; NDC_FULL=1 makes it a million.
const TAGS = process.env['NDC_FULL'] === '1' ? 1_000_000 : 20_000
const STATE = 'ndc:test:tags'
const soon = { timeout: 60_000, interval: 50 }

let redis: RedisServer
const fleet = createFleet()

beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())
beforeEach(() => redis.command('FLUSHALL'))
afterEach(() => fleet.stop())

const on = ({ useCacheHandlers }: Replica) => useCacheHandlers.default
const read = async (from: Replica, key = 'k') => contentOf(await on(from).get(key, []))
async function fill(from: Replica, content: string, tags: string[], key = 'k'): Promise<void> {
  await on(from).get(key, [])
  await on(from).set(key, Promise.resolve(useCacheEntry(content, { tags })))
}
const memory = async () => Number(await redis.command('MEMORY', 'USAGE', STATE, 'SAMPLES', '0'))
const records = async () => Number(await redis.command('HLEN', STATE))
const field = async (name: string) => Number(await redis.command('HGET', STATE, name))

/** Makes everything in the state older, as if so much time had passed since. */
async function age(micros: number): Promise<void> {
  const script = `
    local found = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', 10000)
    for i = 1, #found[2], 2 do
      if string.sub(found[2][i], 1, 1) == ':' then
        local older = string.gsub(found[2][i + 1], '%d+', function(n)
          return string.format('%.0f', math.max(0, tonumber(n) - ARGV[2]))
        end)
        redis.call('HSET', KEYS[1], found[2][i], older)
      end
    end
    return found[1]`
  let cursor: Reply = '0'
  do cursor = await redis.command('EVAL', script, 1, STATE, String(cursor), micros)
  while (cursor !== '0')
}
const HOUR = 3_600_000_000

describe.each(Object.keys(DRIVERS) as Driver[])('the memory of the tag state, over %s', (driver) => {
  const start = (maxTtlSeconds: number, attendEveryMs = 3_600_000) =>
    fleet.start({ url: redis.url, driver, options: { maxTtlSeconds }, tuning: { attendEveryMs } })

  it(
    `${TAGS} tags: what an invalidation costs stays the same, and the memory falls once they are old`,
    { timeout: 600_000 },
    async () => {
      const replica = start(3_600)
      await on(replica).updateTags(['warm'])
      const small = await memory()
      const costs = []
      for (let from = 0; from < TAGS; from += 10_000) {
        await on(replica).updateTags(Array.from({ length: 10_000 }, (_, index) => `tag-${from + index}`))
        await redis.resetCommandStats()
        await on(replica).updateTags(['one'])
        const { info: _i, 'config|resetstat': _r, time: _t, ...commands } = await redis.commandStats()
        costs.push(commands)
      }
      for (const cost of costs) expect(cost).toEqual(costs[0])
      expect(costs[0]).toMatchObject({ hset: 1, hrandfield: 1 })
      expect(await records()).toBeGreaterThan(TAGS)
      const full = await memory()
      await on(replica).updateTags(['live'])

      await age(2 * HOUR)
      await on(replica).updateTags(['live'])
      // The heartbeats of one process, ten a second.
      start(3_600, 100)
      await expect.poll(records, { ...soon, timeout: 300_000 }).toBeLessThan(60)
      expect(await memory()).toBeLessThan(small + (full - small) / 50)
      expect(await redis.command('HEXISTS', STATE, ':live')).toBe(1)
    },
  )

  it('an invalidation by itself forgets as it goes', async () => {
    const replica = start(3_600)
    await on(replica).updateTags(Array.from({ length: 200 }, (_, index) => `old-${index}`))
    await age(2 * HOUR)
    for (let i = 0; i < 200; i++) await on(replica).updateTags(['same'])
    // Each looks at two by chance.
    expect(await records()).toBeLessThan(100)
  })

  it('with real time: a record is forgotten when no entry can need it any more; one that does is not served', async () => {
    const replica = start(2, 50)
    await fill(replica, 'old', ['t'])
    const [entry] = (await redis.command('KEYS', 'ndc:test:build-1:u:*')) as [string]
    // It outlives the longest life that there is.
    await redis.command('PEXPIRE', entry, 600_000)
    expect(await read(replica)).toBe('old')
    await on(replica).updateTags(['t'])
    const clock = await field('clock')
    await expect.poll(() => redis.command('HEXISTS', STATE, ':t'), soon).toBe(0)
    const [seconds, micros] = (await redis.command('TIME')) as string[]
    expect(Number(seconds) * 1_000_000 + Number(micros) - clock).toBeGreaterThan(2_200_000)
    expect(await field('floor')).toBe(clock)
    expect(await redis.command('EXISTS', entry)).toBe(1)
    expect(await read(replica)).toBeUndefined()
    await expect
      .poll(async () => {
        await fill(replica, 'new', ['t'])
        return read(replica)
      }, soon)
      .toBe('new')
  })

  it('a soft one is as old as its invalidation, however long its window', async () => {
    const replica = start(3_600)
    await on(replica).updateTags(['a', 'b'], { expire: 365 * 24 * 3_600 })
    await age(2 * HOUR)
    await on(replica).updateTags(['b'], { expire: 60 })
    for (let i = 0; i < 50; i++) await on(replica).updateTags(['c'])
    expect(await redis.command('HMGET', STATE, ':a')).toEqual([null])
    expect(await redis.command('HEXISTS', STATE, ':b')).toBe(1)
  })

  it('the longest life of all deployments decides, until what it stored is gone', async () => {
    const long = start(3_600)
    await on(long).updateTags(['t'])
    const short = start(1, 50)
    await on(short).updateTags(['u'])
    await age(HOUR / 2)
    for (let i = 0; i < 50; i++) await on(short).updateTags(['same'])
    expect(await redis.command('HMGET', STATE, 'keep')).toEqual([String(Math.round(1.1 * HOUR))])
    expect(await redis.command('HEXISTS', STATE, ':t')).toBe(1)
    // Its last entry is gone: as if it had not attended for so long.
    await redis.command('HSET', STATE, 'keepUntil', '1')
    await expect.poll(() => redis.command('HEXISTS', STATE, ':t'), soon).toBe(0)
  })

  it('where the ACL forbids to collect, invalidations work all the same', async () => {
    await redis.command('ACL', 'SETUSER', 'default', '-hrandfield', '-hdel')
    try {
      const replica = start(3_600, 50)
      await fill(replica, 'old', ['t'])
      await on(replica).updateTags(['t'])
      expect(await read(replica)).toBeUndefined()
      expect(await field(':t')).toBeGreaterThan(0)
    } finally {
      await redis.command('ACL', 'SETUSER', 'default', '+@all')
    }
  })
})
