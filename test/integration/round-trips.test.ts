import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Driver } from '../../src/options'
import { type RedisServer, startRedis } from '../support/redis-server'
import { contentOf, createFleet, DRIVERS, record, type Replica, useCacheEntry } from '../support/replicas'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy'

let redis: RedisServer
let proxy: TcpProxy
const fleet = createFleet()

beforeAll(async () => {
  redis = await startRedis()
  proxy = await startTcpProxy(redis.port)
})
afterAll(async () => {
  await proxy.close()
  await redis.stop()
})

// The heartbeat would count.
const tuning = { attendEveryMs: 3_600_000 }
const tagList = (count: number) => Array.from({ length: count }, (_, index) => `tag-${index}`)

describe.each(Object.keys(DRIVERS) as Driver[])('what operations cost over %s', (driver) => {
  let replica: Replica

  beforeEach(async () => {
    await redis.command('FLUSHALL')
    proxy.delay(2)
    replica = fleet.start({ url: proxy.url, driver, tuning })
    // The connection, the tag state and the scripts exist.
    await store(replica, 'warm', ['warm'])
    await replica.useCacheHandlers.default.updateTags(['warm'])
  })
  afterEach(async () => {
    proxy.delay(0)
    await fleet.stop()
  })

  async function store(target: Replica, key: string, tags: string[]): Promise<void> {
    const handler = target.useCacheHandlers.default
    await handler.get(key, [])
    await handler.set(key, Promise.resolve(useCacheEntry(`content of ${key}`, { tags })))
  }

  /** Round trips and commands of `run`. */
  async function cost(
    run: () => Promise<unknown>,
  ): Promise<{ roundTrips: number; commands: Record<string, number> }> {
    proxy.resetCounters()
    await redis.resetCommandStats()
    await run()
    const { roundTrips } = proxy
    const { info: _info, 'config|resetstat': _reset, time: _time, ...commands } = await redis.commandStats()
    return { roundTrips, commands }
  }

  describe.each([1, 10, 200])('with %i tags', (count) => {
    const tags = tagList(count)

    it('a write, a repeated read and an invalidation: one round trip each', async () => {
      const handler = replica.useCacheHandlers.default
      await handler.get('k', [])
      const entry = useCacheEntry('content', { tags })
      const write = await cost(() => handler.set('k', Promise.resolve(entry)))
      expect(write).toEqual({
        roundTrips: 1,
        commands: { set: 1, evalsha: 1, getrange: 2, rename: 1, pexpire: 1, publish: 1 },
      })

      const read = await cost(async () =>
        expect(await contentOf(await handler.get('k', ['soft']))).toBe('content'),
      )
      expect(read).toEqual({ roundTrips: 1, commands: { evalsha: 1, getrange: 1, hmget: 1 } })

      const invalidation = await cost(() => handler.updateTags(tags))
      expect(invalidation.roundTrips).toBe(1)
      expect(invalidation.commands).toEqual({
        evalsha: 1,
        type: 1,
        hmget: 1,
        hset: 1,
        hrandfield: 1,
        pexpire: 1,
        publish: 1,
      })
      expect(await handler.get('k', [])).toBeUndefined()

      const miss = await cost(() => handler.get('k', []))
      expect(miss.roundTrips).toBe(1)
    })

    it('the first read of a key in a process: at most two round trips', async () => {
      await store(replica, 'k', tags)
      const other = fleet.start({ url: proxy.url, driver, tuning })
      await other.useCacheHandlers.default.get('warm', [])
      const first = await cost(() => other.useCacheHandlers.default.get('k', []))
      expect(first).toEqual({ roundTrips: 2, commands: { getrange: 1, hmget: 2 } })
      const second = await cost(() => other.useCacheHandlers.default.get('k', []))
      expect(second.roundTrips).toBe(1)
    })

    it('a page and a fetch cost the same', async () => {
      const handler = new replica.CacheHandler({})
      const headers = { 'x-next-cache-tags': tags.join(',') }
      await handler.get('p', { kind: 'APP_ROUTE' })
      const value = { kind: 'APP_ROUTE', body: Buffer.from('x'), headers, status: 200 } as const
      expect(
        (await cost(() => handler.set('p', value, { cacheControl: { revalidate: 60 } }))).roundTrips,
      ).toBe(1)
      expect((await cost(() => handler.get('p', { kind: 'APP_ROUTE' }))).roundTrips).toBe(1)
      expect((await cost(() => handler.get('f', { kind: 'FETCH', tags, softTags: tags }))).roundTrips).toBe(1)
    })
  })

  it('with single flight: a cold miss that leads is one round trip, and what is known pays nothing', async () => {
    const flying = {
      url: proxy.url,
      driver,
      tuning,
      options: { singleFlight: { leaseMs: 60_000, waitMs: 5_000 } },
    }
    const [leader, other] = [fleet.start(flying), fleet.start(flying)]
    const handler = leader.useCacheHandlers.default
    for (const each of [leader, other]) await each.useCacheHandlers.default.updateTags(['warm'])
    const leases = await record('lease', async () => {
      const miss = await cost(() => handler.get('k', ['soft']))
      expect(miss).toEqual({ roundTrips: 1, commands: { getrange: 2, evalsha: 1, set: 1, hmget: 1 } })
    })
    expect(leases.map(({ role }) => role)).toEqual(['leader'])
    const write = await cost(() =>
      handler.set('k', Promise.resolve(useCacheEntry('content', { tags: ['t'] }))),
    )
    expect(write.roundTrips).toBe(1)
    expect(await redis.command('KEYS', '*:lease')).toEqual([])
    // A script that finds the record, and then the tags that nobody knew of.
    const first = await cost(() => other.useCacheHandlers.default.get('k', ['soft']))
    expect(first).toEqual({ roundTrips: 2, commands: { getrange: 2, evalsha: 1, hmget: 2 } })
    const second = await cost(() => other.useCacheHandlers.default.get('k', ['soft']))
    expect(second).toEqual({ roundTrips: 1, commands: { getrange: 1, evalsha: 1, hmget: 1 } })
    expect(await redis.command('KEYS', '*:lease')).toEqual([])
    // Of a record that is gone for good, too, once that is known.
    await redis.command('DEL', ...((await redis.command('KEYS', 'ndc:test:build-1:*')) as string[]))
    await other.useCacheHandlers.default.get('k', [])
    await redis.command('DEL', ...((await redis.command('KEYS', '*:lease')) as string[]))
    expect((await cost(() => handler.get('k', []))).roundTrips).toBe(2)
    await handler.set('k', Promise.reject(new Error('render failed')))
  })

  it('reads of one turn: one round trip, and one look at the tags', async () => {
    const handler = replica.useCacheHandlers.default
    const keys = ['a', 'b', 'c']
    for (const key of keys) await store(replica, key, [`tag of ${key}`])
    const reads = await cost(async () => {
      const found = await Promise.all([...keys, 'none'].map((key) => handler.get(key, ['soft'])))
      const contents = await Promise.all(found.map(contentOf))
      expect(contents).toEqual([...keys.map((key) => `content of ${key}`), undefined])
    })
    // The last one also asks who generates it.
    expect(reads.commands).toMatchObject({ hmget: 1 })
    await handler.updateTags(['tag of b'])
    const after = await Promise.all(keys.map((key) => handler.get(key, [])))
    expect(await Promise.all(after.map(contentOf))).toEqual(['content of a', undefined, 'content of c'])
  })

  it('a write leaves nothing behind but its entry, stored or superseded', async () => {
    const handler = replica.useCacheHandlers.default
    await handler.get('k', [])
    const older = useCacheEntry('older', { tags: [] })
    const newer = useCacheEntry('newer', { tags: [], timestamp: older.timestamp + 5 })
    const entriesOf = () => redis.command('KEYS', 'ndc:test:build-1:u:*') as Promise<string[]>
    const before = await entriesOf()
    const writes = await record('write', async () => {
      await handler.set('k', Promise.resolve(newer))
      await handler.set('k', Promise.resolve(older))
    })
    expect(writes.map(({ outcome }) => outcome)).toEqual(['stored', 'superseded'])
    const names = (await entriesOf()).filter((name) => !before.includes(name))
    expect(names).toHaveLength(1)
    // What a script never took over would be gone soon; the entry is not.
    expect(await redis.command('PTTL', names[0] as string)).toBeGreaterThan(120_000)
    expect(await contentOf(await handler.get('k', []))).toBe('newer')
  })

  it('Next announces an invalidation through both interfaces: one script', async () => {
    const both = await cost(() =>
      Promise.all([
        replica.useCacheHandlers.default.updateTags(['t'], { expire: 60 }),
        new replica.CacheHandler({}).revalidateTag(['t'], { expire: 60 }),
      ]),
    )
    expect(both.roundTrips).toBe(1)
    expect(both.commands['evalsha']).toBe(1)
    expect(both.commands['hget']).toBe(1)
  })

  it('an invalidation costs the same with 10 and with 100,000 entries under the tag', async () => {
    const costs = []
    let existing = 0
    for (const entries of [10, 100_000]) {
      // Entries are opaque to the server, so that copies of one stand for many.
      await store(replica, 'k', ['crowded'])
      const [name] = (await redis.command('KEYS', 'ndc:test:build-1:u:*')) as string[]
      const script = `for i = ARGV[1], ARGV[2] do redis.call('COPY', KEYS[1], KEYS[1] .. i) end`
      await redis.command('EVAL', script, 1, name as string, existing, entries)
      existing = entries + 1
      costs.push(await cost(() => replica.useCacheHandlers.default.updateTags(['crowded'])))
    }
    expect(costs[1]).toEqual(costs[0])
    expect(await redis.command('DBSIZE')).toBeGreaterThan(100_000)
  })

  it('10,000 entries under one tag, and 200 tags in one call, work', async () => {
    const handler = replica.useCacheHandlers.default
    const keys = Array.from({ length: 10_000 }, (_, index) => `key-${index}`)
    for (let from = 0; from < keys.length; from += 500) {
      await Promise.all(keys.slice(from, from + 500).map((key) => store(replica, key, ['many'])))
    }
    expect(await contentOf(await handler.get('key-9999', []))).toBe('content of key-9999')
    await handler.updateTags(['many', ...tagList(199)])
    const after = await Promise.all(
      keys.filter((_, index) => index % 100 === 0).map((key) => handler.get(key, [])),
    )
    expect(after.every((entry) => entry === undefined)).toBe(true)
  })

  it('a process holds one connection, however many handlers Next makes', async () => {
    const before = proxy.open
    for (let i = 0; i < 30; i++) await new replica.CacheHandler({}).get(`k${i}`, { kind: 'APP_PAGE' })
    expect(proxy.open).toBe(before)
  })
})
