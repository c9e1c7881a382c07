import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { CreateClient } from '../../runtime/clients/client'
import type { Driver } from '../../src/options'
import { type RedisServer, startRedis } from '../support/redis-server'
import {
  contentOf,
  createFleet,
  DRIVERS,
  nextEvent,
  record,
  type Replica,
  useCacheEntry,
} from '../support/replicas'
import { startTcpProxy } from '../support/tcp-proxy'

const TIMEOUTS = { connectMs: 2_000, commandMs: 1_000, requestBudgetMs: 2_000 }
/** Longer than a test may take: what waited so long would fail it. */
const FOR_EVER_MS = 3_600_000

let redis: RedisServer
const fleet = createFleet()

beforeEach(async () => void (redis = await startRedis()))
afterEach(async () => {
  redis.unfreeze()
  await fleet.stop()
  await redis.stop()
})

describe.each(Object.keys(DRIVERS) as Driver[])('Redis that cannot be asked, over %s', (driver) => {
  const start = (timeouts: Partial<typeof TIMEOUTS> = {}, preset: 'strict' | 'l1-pubsub' = 'strict') =>
    fleet.start({
      url: redis.url,
      driver,
      options: {
        preset,
        timeouts: { ...TIMEOUTS, ...timeouts },
        singleFlight: { leaseMs: 1_500, waitMs: 5_000 },
      },
    })
  const on = (replica: Replica) => replica.useCacheHandlers.default
  const read = async (replica: Replica, key = 'k') => contentOf(await on(replica).get(key, []))
  const store = async (replica: Replica, content: string, key = 'k') =>
    on(replica).set(key, Promise.resolve(useCacheEntry(content, { tags: ['t'] })))

  /** Until what is written is read. */
  async function works(replica: Replica, key = 'k'): Promise<void> {
    for (let content: unknown; content !== 'content'; content = await read(replica, key)) {
      await read(replica, key)
      await store(replica, 'content', key)
    }
  }

  it('a heartbeat that is under way when the process ends is not said to have failed', async () => {
    let beat = (): void => {}
    const createClient: CreateClient = (options) => {
      const client = DRIVERS[driver](options)
      const send = client.send.bind(client)
      return Object.assign(client, {
        send: (...batch: Parameters<typeof send>) => {
          beat()
          return send(...batch)
        },
      })
    }
    const said = vi.spyOn(console, 'error').mockReturnValue()
    const replica = fleet.start({ url: redis.url, driver, createClient, tuning: { attendEveryMs: 20 } })
    await works(replica)
    redis.freeze()
    await new Promise<void>((resolve) => (beat = resolve))
    await replica.close()
    await new Promise(setImmediate)
    expect(said.mock.calls).toEqual([])
    said.mockRestore()
  })

  it('hung: the first reads find out, the others cost nothing, and it comes back by itself', async () => {
    const replica = start()
    await works(replica)
    await redis.resetCommandStats()
    const opened = nextEvent('circuit', ({ state }) => state === 'open')
    redis.freeze()
    const found = await Promise.all(Array.from({ length: 5 }, () => read(replica)))
    expect(found).toEqual(Array(5).fill(undefined))
    await opened
    const reads = await record('read', async () => {
      for (let i = 0; i < 2_000; i++) expect(await read(replica)).toBeUndefined()
    })
    expect(new Set(reads.map(({ tier }) => tier))).toEqual(new Set(['none']))
    await store(replica, 'of the outage')
    const closed = nextEvent('circuit', ({ state }) => state === 'closed')
    redis.unfreeze()
    const { refused } = await closed
    expect(refused).toBeGreaterThan(0)
    await works(replica)
    // What was sent before the circuit opened, and executed late; the heartbeats; and what came after.
    const { evalsha = 0, set = 0 } = await redis.commandStats()
    expect(evalsha).toBeLessThan(100)
    expect(set).toBeLessThan(10)
  })

  it('killed: nothing is asked until it is back, and what was rendered meanwhile is not kept', async () => {
    const replica = start()
    await works(replica)
    const opened = nextEvent('circuit', ({ state }) => state === 'open')
    await redis.stop()
    await opened
    for (let i = 0; i < 1_000; i++) expect(await read(replica)).toBeUndefined()
    await store(replica, 'of the outage')
    expect(await read(replica)).toBeUndefined()
    const closed = nextEvent('circuit', ({ state }) => state === 'closed')
    redis = await startRedis({ port: redis.port })
    expect((await closed).refused).toBeGreaterThan(900)
    await works(replica)
  })

  it('absent at boot, or hung: a read waits for its budget, not for the connection or the command', async () => {
    const { port } = redis
    await redis.stop()
    const absent = start({ connectMs: FOR_EVER_MS, requestBudgetMs: 100 })
    expect(await read(absent)).toBeUndefined()
    redis = await startRedis({ port })
    const hung = start({ commandMs: FOR_EVER_MS, requestBudgetMs: 3_000 })
    await works(hung)
    redis.freeze()
    expect(await read(hung)).toBeUndefined()
  })

  it('slow: a request that used its budget asks for nothing more, the next one does', async () => {
    const proxy = await startTcpProxy(redis.port)
    try {
      const replica = fleet.start({
        url: proxy.url,
        driver,
        options: { timeouts: { ...TIMEOUTS, commandMs: 2_000, requestBudgetMs: 1_000 } },
      })
      await works(replica)
      proxy.delay(400)
      const tierOf = async (request: Record<string, string>, key: number) => {
        const handler = new replica.CacheHandler({ _requestHeaders: request })
        const [seen] = await record('read', () => handler.get(`fetch ${key}`, { kind: 'FETCH' }))
        return seen?.tier
      }
      for (const request of [{ host: 'first' }, { host: 'second' }]) {
        expect(await tierOf(request, 0)).toBe('store')
        // How many depends on how busy this machine is.
        let key = 1
        while ((await tierOf(request, key)) !== 'none') key++
        for (let more = 0; more < 20; more++) expect(await tierOf(request, key + more)).toBe('none')
      }
    } finally {
      await fleet.stop()
      await proxy.close()
    }
  })

  it('memory within grace never outlives an invalidation of its own process', async () => {
    // Not so long that grace would be over before the invalidation is put aside.
    const replica = start({ connectMs: 500 }, 'l1-pubsub')
    await works(replica)
    for (let tier = ''; tier !== 'local';) tier = (await record('read', () => read(replica)))[0]!.tier
    const opened = nextEvent('circuit', ({ state }) => state === 'open')
    await redis.stop()
    await opened
    await on(replica).updateTags(['t'])
    expect(await read(replica)).toBeUndefined()
  })
})
