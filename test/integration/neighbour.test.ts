import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Driver, Preset } from '../../src/options'
import { type RedisServer, startRedis } from '../support/redis-server'
import { contentOf, createFleet, DRIVERS, record, type Replica, useCacheEntry } from '../support/replicas'

let redis: RedisServer
const fleet = createFleet()

beforeAll(async () => void (redis = await startRedis()))
afterAll(() => redis.stop())

/** Ours, and a neighbour's. */
const PREFIXES = [
  ['ndc:a', 'ndc:b'],
  ['ndc:a', 'ndc:a:b'],
  ['ndc:a:b', 'ndc:a'],
  // The namespace of the one is part of the prefix of the other.
  ['ndc:a', 'ndc:a:build-1'],
  ['ndc:a:tags', 'ndc:a'],
] as const

const cells = (Object.keys(DRIVERS) as Driver[]).flatMap((driver) =>
  (['strict', 'l1-pubsub'] as Preset[]).flatMap((preset) =>
    PREFIXES.map(([ours, theirs]) => [driver, preset, ours, theirs] as const),
  ),
)

describe.each(cells)('over %s, %s: what %s does', (driver, preset, ours, theirs) => {
  beforeEach(async () => void (await redis.command('FLUSHALL')))
  afterEach(() => fleet.stop())

  // No heartbeats: whatever changes, changes because of us.
  const start = (keyPrefix: string) =>
    fleet.start({
      url: redis.url,
      driver,
      options: { preset, keyPrefix, singleFlight: { leaseMs: 60_000, waitMs: 500 } },
      tuning: { attendEveryMs: 3_600_000 },
    })
  const on = (replica: Replica) => replica.useCacheHandlers.default
  const read = async (replica: Replica, key: string) => contentOf(await on(replica).get(key, ['soft']))
  const write = (replica: Replica, key: string, content: string, more = {}) =>
    on(replica).set(key, Promise.resolve(useCacheEntry(content, { tags: ['t', 'clock'], ...more })))

  it('does not touch the neighbour', async () => {
    const neighbour = start(theirs)
    expect(await read(neighbour, 'k')).toBeUndefined()
    await write(neighbour, 'k', 'theirs')
    await on(neighbour).updateTags(['other'], { expire: 60 })
    // A lease that is held, for a key that we use as well.
    expect(await read(neighbour, 'leased')).toBeUndefined()
    const before = await keysOf(theirs)
    expect(before.size).toBeGreaterThanOrEqual(3)

    const us = start(ours)
    expect(await read(us, 'k')).toBeUndefined()
    await write(us, 'k', 'ours')
    expect(await read(us, 'k')).toBe('ours')
    expect(await read(us, 'leased')).toBeUndefined()
    await write(us, 'leased', 'ours')
    await read(us, 'nothing')
    await write(us, 'nothing', '', { expire: 0 })
    await on(us).updateTags(['t', 'other', 'clock', 'floor', 'soft'])
    await on(us).updateTags(['t'], { expire: 60 })
    // Lost knowledge: ours alone.
    await redis.command('DEL', `${ours}:tags`)
    expect(await read(us, 'k')).toBeUndefined()

    expect(await keysOf(theirs)).toEqual(before)
    const [theirRead] = await record('read', () => read(neighbour, 'k'))
    expect(theirRead).toMatchObject({ result: 'hit', verdict: 'fresh' })
    expect(await read(start(theirs), 'k')).toBe('theirs')
  })

  /** Every key of the application and what it holds, by our record of who writes what. */
  async function keysOf(prefix: string): Promise<Map<string, string>> {
    const other = prefix === ours ? theirs : ours
    const keys = ((await redis.command('KEYS', '*')) as string[]).filter((key) => belongs(key, prefix, other))
    const dumped = new Map<string, string>()
    for (const key of keys.sort()) {
      const lua = `local dump = redis.call('DUMP', KEYS[1]) return redis.sha1hex(dump)`
      dumped.set(key, String(await redis.command('EVAL', lua, 1, key)))
    }
    return dumped
  }
})

/** Of two applications, whose key it is: the longer prefix that fits a whole key name wins. */
function belongs(key: string, prefix: string, other: string): boolean {
  const fits = (candidate: string) =>
    key.startsWith(`${candidate}:`) &&
    /^(?:tags|build-1:[rfiu]:\{[\w-]{43}\}(?::lease)?)$/.test(key.slice(candidate.length + 1))
  expect([prefix, other].filter(fits)).toHaveLength(1)
  return fits(prefix)
}
