import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { encodeEntry } from '../../src/entry'
import type { Driver } from '../../src/options'
import { ON_CLUSTER, type RedisServer, startRedis } from '../support/redis-server'
import { contentOf, createFleet, DRIVERS, record, type Replica, useCacheEntry } from '../support/replicas'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy'

let redis: RedisServer
let proxy: TcpProxy
const fleet = createFleet()
const STATE = 'ndc:test:tags'

beforeAll(async () => {
  redis = await startRedis()
  proxy = await startTcpProxy(redis.port)
})
afterAll(async () => {
  await proxy.close()
  await redis.stop()
})

describe.each(Object.keys(DRIVERS) as Driver[])(
  'lost knowledge costs hits, never truth, over %s',
  (driver) => {
    let a: Replica
    let b: Replica

    beforeEach(async () => {
      await redis.command('FLUSHALL')
      a = start()
      b = start()
    })
    afterEach(() => fleet.stop())

    const start = (url = redis.url) => fleet.start({ url, driver })
    const read = async (replica: Replica, key = 'k') =>
      contentOf(await replica.useCacheHandlers.default.get(key, []))

    async function fill(replica: Replica, content: string, key = 'k'): Promise<void> {
      const handler = replica.useCacheHandlers.default
      await handler.get(key, [])
      await handler.set(key, Promise.resolve(useCacheEntry(content, { tags: ['t'] })))
    }

    it('FLUSHALL during a render: the render is not served, the next one is', async () => {
      const handler = a.useCacheHandlers.default
      await handler.get('k', [])
      const slow = useCacheEntry('old', { tags: ['t'] })
      await b.useCacheHandlers.default.updateTags(['t'])
      await redis.command('FLUSHALL')
      await handler.set('k', Promise.resolve(slow))
      expect(await read(b)).toBeUndefined()
      expect(await read(a)).toBeUndefined()
      await fill(a, 'new')
      expect(await read(b)).toBe('new')
    })

    it('tag state that was evicted while entries survived: no entry is trusted', async () => {
      await fill(a, 'old')
      expect(await read(b)).toBe('old')
      await redis.command('DEL', STATE)
      expect(await read(b)).toBeUndefined()
      await fill(b, 'new')
      expect(await read(a)).toBe('new')
    })

    it('tag state of another type, or damaged, is made anew', async () => {
      await fill(a, 'old')
      await redis.command('DEL', STATE)
      await redis.command('SET', STATE, 'nonsense')
      expect(await read(b)).toBeUndefined()
      expect(await redis.command('TYPE', STATE)).toBe('hash')
      await fill(a, 'old')
      await redis.command('HSET', STATE, 'clock', 'nonsense')
      expect(await read(b)).toBeUndefined()
      await fill(a, 'old')
      await redis.command('HSET', STATE, ':t', 'nonsense')
      const damaged = await record('damaged', async () => expect(await read(b)).toBeUndefined())
      expect(damaged[0]).toEqual({ records: 1 })
      await a.useCacheHandlers.default.updateTags(['t'])
      await fill(a, 'new')
      expect(await read(b)).toBe('new')
    })

    it('failover to a replica that lost the last invalidation: whoever saw it raises the floor', async () => {
      await fill(a, 'old')
      const before = (await redis.command('HGETALL', STATE)) as string[]
      await a.useCacheHandlers.default.updateTags(['t'])
      // The new primary has the state from before.
      await redis.command('DEL', STATE)
      await redis.command('HSET', STATE, ...(before as [string, ...string[]]))
      expect(await read(a)).toBeUndefined()
      expect(await read(b)).toBeUndefined()
    })

    it('tag state that is lost together with the connection: nothing to restore, and nothing older is served', async () => {
      await fill(a, 'old')
      await fill(a, 'other', 'o')
      await a.useCacheHandlers.default.updateTags(['t'])
      const restored = await record('restored', async () => {
        await redis.command('DEL', STATE)
        await redis.command('CLIENT', 'KILL', 'TYPE', 'normal')
        for (const replica of [a, b])
          await expect
            .poll(async () => (await record('read', () => read(replica)))[0]?.tier, { timeout: 20_000 })
            .not.toBe('none')
        for (const key of ['k', 'o'])
          for (const replica of [a, b]) expect(await read(replica, key)).toBeUndefined()
      })
      expect(restored).toEqual([])
      await fill(b, 'new')
      expect(await read(a)).toBe('new')
    })

    it('an entry from beyond the clock of the server raises it', async () => {
      await fill(a, 'old')
      await redis.command('HSET', STATE, 'clock', '1000', 'floor', '1000')
      const fresh = start()
      expect(await read(fresh)).toBeUndefined()
      const [clock] = (await redis.command('HMGET', STATE, 'clock')) as string[]
      expect(Number(clock)).toBeGreaterThan(1_000_000)
      await fill(fresh, 'new')
      expect(await read(fresh)).toBe('new')
    })

    it('an entry that claims to be of the far future is a fault, and moves no clock', async () => {
      await fill(a, 'old')
      const [clock] = (await redis.command('HMGET', STATE, 'clock')) as string[]
      const far = Number.MAX_SAFE_INTEGER
      const entry = {
        fence: far,
        bornAt: far,
        modifiedAt: far,
        retryAt: 0,
        revalidate: 60,
        expire: 60,
        tags: [],
        detail: {},
        chunks: [],
      }
      const [name] = (await redis.command('KEYS', 'ndc:test:build-1:u:*')) as string[]
      const format = { compression: { codec: 'none', thresholdBytes: 0 }, maxEntryBytes: 1000 } as const
      const bytes = (await encodeEntry(name as string, entry, format)) as Buffer
      await redis.command('SET', name as string, bytes)
      const faults = await record('fault', async () => expect(await read(a)).toBeUndefined())
      expect(faults).toMatchObject([{ fault: 'time' }])
      expect(await redis.command('HMGET', STATE, 'clock')).toEqual([clock])
      // However new it claims to be.
      await fill(a, 'new')
      expect(await read(b)).toBe('new')
    })

    it('a booting process trusts what a fleet that lived on has stored', async () => {
      await fill(a, 'content')
      expect(await read(start())).toBe('content')
    })

    it('when nobody heard invalidations meanwhile, a booting process distrusts every entry, once', async () => {
      await fill(a, 'old')
      await fleet.stop()
      // As if the fleet had been off for a minute, without a URL to forward invalidations to.
      const [alive] = (await redis.command('HMGET', STATE, 'alive')) as string[]
      await redis.command('HSET', STATE, 'alive', String(Number(alive) - 60_000_000))
      const first = start()
      expect(await read(first)).toBeUndefined()
      await fill(first, 'new')
      expect(await read(start())).toBe('new')
    })

    it("so it does when the server's clock was set back meanwhile", async () => {
      await fill(a, 'old')
      await fleet.stop()
      const [alive] = (await redis.command('HMGET', STATE, 'alive')) as string[]
      await redis.command('HSET', STATE, 'alive', String(Number(alive) + 3_600_000_000))
      expect(await read(start())).toBeUndefined()
    })

    // The proxy stands before one server.
    it.skipIf(ON_CLUSTER)(
      'an invalidation while Redis is away is kept and holds as soon as it is back',
      async () => {
        const cut = start(proxy.url)
        await fill(cut, 'old')
        proxy.pause()
        proxy.cut()
        const journalled = await record('journalled', () => cut.useCacheHandlers.default.updateTags(['t']))
        expect(journalled).toMatchObject([{ tags: 1, pending: 1 }])
        // Nothing older is served meanwhile, and no read hangs.
        expect(await read(cut)).toBeUndefined()
        const applied = await record('invalidated', async () => {
          proxy.resume()
          while ((await read(b)) !== undefined) await new Promise((resolve) => setTimeout(resolve, 50))
        })
        expect(applied).toMatchObject([{ tags: ['t'] }])
        expect(await read(cut)).toBeUndefined()
      },
    )

    it.skipIf(ON_CLUSTER)(
      'a window of no whole number of microseconds stays one on a new connection',
      async () => {
        const cut = start(proxy.url)
        await fill(cut, 'content')
        await cut.useCacheHandlers.default.updateTags(['t'], { expire: 100 / 3 })
        const damaged = await record('damaged', async () => {
          proxy.cut()
          while ((await read(cut)) === undefined && (await read(b)) !== undefined)
            await new Promise((resolve) => setTimeout(resolve, 20))
        })
        expect([damaged, await read(cut)]).toEqual([[], 'content'])
      },
    )

    it('Redis that is absent: reads miss, writes and invalidations resolve', async () => {
      const server = await startRedis()
      await server.stop()
      const alone = fleet.start({
        url: server.url,
        driver,
        options: { timeouts: { connectMs: 300, commandMs: 300, requestBudgetMs: 300 } },
      })
      const handler = alone.useCacheHandlers.default
      expect(await handler.get('k', [])).toBeUndefined()
      await handler.set('k', Promise.resolve(useCacheEntry('x')))
      await handler.refreshTags()
      await handler.updateTags(['t'])
      await new alone.CacheHandler({}).revalidateTag('t')
      expect(await new alone.CacheHandler({}).get('k', { kind: 'APP_PAGE' })).toBeNull()
    })
  },
)
