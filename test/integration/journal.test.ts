import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Driver, Preset, ResolvedOptions } from '../../src/options'
import { withRule } from '../support/acl'
import { type RedisServer, startRedis } from '../support/redis-server'
import {
  contentOf,
  isStale,
  createFleet,
  DRIVERS,
  nextEvent,
  record,
  type Replica,
  useCacheEntry,
} from '../support/replicas'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy'

let redis: RedisServer
let proxy: TcpProxy
const fleet = createFleet()
const soon = { timeout: 20_000, interval: 20 }
/** Gives back what was forbidden. */
let allow = async () => {}

beforeAll(async () => {
  redis = await startRedis()
  proxy = await startTcpProxy(redis.port)
})
afterAll(async () => {
  await proxy.close()
  await redis.stop()
})

const cells = (Object.keys(DRIVERS) as Driver[]).flatMap((driver) =>
  (['strict', 'l1-pubsub'] as const).map((preset) => ({ driver, preset })),
)

/** Ways in which a Redis that answers refuses an invalidation. */
const refusals = [
  {
    name: 'out of memory at noeviction',
    servesOn: true,
    refuse: () => redis.command('CONFIG', 'SET', 'maxmemory', '1'),
    relent: () => redis.command('CONFIG', 'SET', 'maxmemory', '0'),
  },
  {
    name: 'a read-only replica',
    // Its clients leave it after some seconds, for the new primary.
    servesOn: false,
    refuse: () => redis.command('REPLICAOF', '127.0.0.1', '1'),
    relent: () => redis.command('REPLICAOF', 'NO', 'ONE'),
  },
  {
    name: 'an ACL that forbids it',
    servesOn: true,
    refuse: async () => void (allow = await withRule(redis.url, redis.command, '-hset', '+hset')),
    relent: () => allow(),
  },
]

const on = ({ useCacheHandlers }: Replica) => useCacheHandlers.default
async function read(from: Replica, key = 'k') {
  const entry = await on(from).get(key, [])
  return entry && { content: await contentOf(entry), stale: isStale(entry) }
}
async function fill(from: Replica, content: string, key = 'k', tags = ['t']): Promise<void> {
  await on(from).get(key, [])
  await on(from).set(key, Promise.resolve(useCacheEntry(content, { tags })))
}
const fresh = (content: string) => ({ content, stale: false })

/** The tags that reached Redis, in their order, of the journal of whoever has `tag` in it. */
const applied = (tag: string) => nextEvent('invalidated', ({ tags }) => tags.includes(tag))

describe.each(cells)('an invalidation that Redis does not take: $driver, $preset', ({ driver, preset }) => {
  let a: Replica
  let b: Replica
  const start = (url = redis.url, options: Partial<ResolvedOptions> = {}, own: Preset = preset) =>
    fleet.start({ url, driver, options: { preset: own, ...options } })

  beforeEach(async () => {
    await redis.command('FLUSHALL')
    a = start()
    b = start()
  })
  afterEach(async () => {
    proxy.resume()
    for (const { relent } of refusals) await relent()
    await fleet.stop()
  })

  it.each(refusals)(
    '$name: kept, judged here at once, applied later',
    async ({ refuse, relent, servesOn }) => {
      await fill(a, 'old')
      await fill(a, 'softly', 's', ['soft'])
      await fill(a, 'other', 'o', ['u'])
      for (const key of ['k', 's', 'o']) expect(await read(b, key)).toBeDefined()
      await refuse()
      const journalled = await record('journalled', () =>
        Promise.all([on(a).updateTags(['t']), on(a).updateTags(['soft'], { expire: 3600 })]),
      )
      expect(journalled).toMatchObject([{ tags: 2, pending: 2, overflowed: false }])
      expect(await read(a)).toBeUndefined()
      // What it does not concern is served as before.
      const orNone = servesOn ? [] : [undefined]
      expect([{ content: 'softly', stale: true }, ...orNone]).toContainEqual(await read(a, 's'))
      expect([fresh('other'), ...orNone]).toContainEqual(await read(a, 'o'))
      expect([fresh('old'), ...orNone]).toContainEqual(await read(b))

      const recovered = applied('t')
      await relent()
      expect((await recovered).tags).toEqual(['t', 'soft'])
      await expect.poll(() => read(b), soon).toBeUndefined()
      await expect.poll(() => read(b, 's'), soon).toEqual({ content: 'softly', stale: true })
      for (const replica of [a, b]) await expect.poll(() => read(replica, 'o'), soon).toEqual(fresh('other'))
      // It asks for nothing more than one refresh.
      await fill(a, 'new')
      for (const replica of [a, b]) await expect.poll(() => read(replica), soon).toEqual(fresh('new'))
    },
  )

  it('Redis is away: everything that this process reads while it comes back is judged', async () => {
    const cut = start(proxy.url)
    await fill(cut, 'old')
    await fill(cut, 'softly', 's', ['soft'])
    proxy.pause()
    proxy.cut()
    await on(cut).updateTags(['t'])
    await on(cut).updateTags(['soft'], { expire: 3600 })
    const back = applied('t')
    let recovered = false
    void back.then(() => (recovered = true))
    proxy.resume()
    while (!recovered) {
      expect(await read(cut)).toBeUndefined()
      expect([undefined, { content: 'softly', stale: true }]).toContainEqual(await read(cut, 's'))
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await read(cut)).toBeUndefined()
    await expect.poll(() => read(b), soon).toBeUndefined()
    expect(await read(b, 's')).toEqual({ content: 'softly', stale: true })
  })

  it('100,000 tags in one call: in parts, and all of them hold', async () => {
    const tags = Array.from({ length: 100_000 }, (_, index) => `tag-${index}`)
    await fill(a, 'first', 'first', [tags[0] as string])
    await fill(a, 'last', 'last', [tags.at(-1) as string])
    const timeouts = { connectMs: 2000, commandMs: 5000, requestBudgetMs: 5000 }
    const sender = start(redis.url, { timeouts }, 'strict')
    await redis.resetCommandStats()
    const journalled = await record('journalled', () => on(sender).updateTags(tags))
    expect(journalled).toEqual([])
    expect((await redis.commandStats())['publish']).toBeGreaterThanOrEqual(100)
    expect(await redis.command('HLEN', 'ndc:test:tags')).toBeGreaterThanOrEqual(100_000)
    for (const key of ['first', 'last']) await expect.poll(() => read(b, key), soon).toBeUndefined()
  })

  it('100,000 tags while Redis is away: everything is invalidated', async () => {
    const cut = start(proxy.url)
    await fill(cut, 'old', 'k', ['tag-5'])
    await fill(cut, 'other', 'o', ['unrelated'])
    proxy.pause()
    proxy.cut()
    const tags = Array.from({ length: 100_000 }, (_, index) => `tag-${index}`)
    const journalled = await record('journalled', () => on(cut).updateTags(tags))
    expect(journalled).toMatchObject([{ tags: 100_000, pending: 0, overflowed: true }])
    proxy.resume()
    for (const key of ['k', 'o']) await expect.poll(() => read(b, key), soon).toBeUndefined()
    expect(await read(cut)).toBeUndefined()
    await expect
      .poll(async () => {
        await fill(cut, 'new')
        return read(b)
      }, soon)
      .toEqual(fresh('new'))
  })
})

it('behind the journal nobody waits for the render of another, who knows nothing of it', async () => {
  await redis.command('FLUSHALL')
  const options = { singleFlight: { leaseMs: 60_000, waitMs: 100 } }
  const [a, b] = [1, 2].map(() => fleet.start({ url: redis.url, driver: 'ioredis', options })) as [
    Replica,
    Replica,
  ]
  const fetchOf = (from: Replica) => new from.CacheHandler({}).get('f', { kind: 'FETCH', tags: ['t'] })
  try {
    // The lease is taken, for longer than this test takes.
    await fetchOf(b)
    expect(await record('waited', () => fetchOf(a))).toMatchObject([{ outcome: 'gave-up' }])
    allow = await withRule(redis.url, redis.command, '-hset', '+hset')
    await on(a).updateTags(['u'])
    expect(await record('waited', () => fetchOf(a))).toEqual([])
  } finally {
    await allow()
    await fleet.stop()
  }
})

describe.each(Object.keys(DRIVERS) as Driver[])('who is told, over %s', (driver) => {
  afterEach(async () => {
    proxy.resume()
    await fleet.stop()
  })

  it('onFailure: reject: hard ones reject through both interfaces, soft ones never', async () => {
    const replica = fleet.start({
      url: proxy.url,
      driver,
      options: { invalidations: { onFailure: 'reject', replicas: 0 } },
    })
    await on(replica).updateTags(['t'])
    proxy.pause()
    proxy.cut()
    const handler = new replica.CacheHandler({})
    const durations = { expire: 60 }
    const outcomes = await Promise.allSettled([
      on(replica).updateTags(['t']),
      handler.revalidateTag('t'),
      on(replica).updateTags(['s'], durations),
      handler.revalidateTag(['s'], durations),
      replica.invalidate(['t']),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual([
      'rejected',
      'rejected',
      'fulfilled',
      'fulfilled',
      'fulfilled',
    ])
    expect(outcomes[0]).toMatchObject({ reason: { code: 'INVALIDATION' } })
    const recovered = applied('t')
    proxy.resume()
    expect((await recovered).tags).toEqual(['t', 's'])
  })

  it('the process ends: what Redis takes at the last moment is not lost, the rest is said loudly', async () => {
    const options = { timeouts: { connectMs: 500, commandMs: 500, requestBudgetMs: 500 } }
    const start = () => fleet.start({ url: proxy.url, driver, options })
    const reached = start()
    await on(reached).updateTags(['warm'])
    await redis.command('ACL', 'SETUSER', 'default', '-hset')
    await on(reached).updateTags(['t'])
    await redis.command('ACL', 'SETUSER', 'default', '+@all')
    expect(await record('lost', () => reached.close())).toEqual([])
    expect(await redis.command('HEXISTS', 'ndc:test:tags', ':t')).toBe(1)

    const lines = vi.spyOn(console, 'error').mockImplementation(() => {})
    const cut = start()
    await on(cut).updateTags(['warm'])
    proxy.pause()
    proxy.cut()
    await on(cut).updateTags(['x', 'y'])
    expect(await record('lost', () => cut.close())).toEqual([{ tags: 2, everything: false }])
    expect(lines.mock.calls.flat().join('\n')).toContain('2 tags were to be invalidated')
    lines.mockRestore()
  })
})
