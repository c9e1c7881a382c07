import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createKeyNames } from '../../src/key-names'
import type { Driver } from '../../src/options'
import { localNow } from '../../src/server-time'
import { ON_CLUSTER, type RedisServer, startRedis } from '../support/redis-server'
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

/** Reads from memory never leave the turn, and a message arrives in the next one. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

const STATE = createKeyNames('ndc:test', 'build-1').tags
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

describe.each(Object.keys(DRIVERS) as Driver[])('l1-pubsub over %s', (driver) => {
  let a: Replica
  let b: Replica

  beforeEach(async () => {
    await redis.command('FLUSHALL')
    a = start()
    b = start()
  })
  afterEach(async () => {
    proxy.resume()
    await fleet.stop()
  })

  const start = (url = redis.url) => fleet.start({ url, driver, options: { preset: 'l1-pubsub' } })
  const on = (replica: Replica) => replica.useCacheHandlers.default
  const read = async (replica: Replica, key = 'k') => contentOf(await on(replica).get(key, ['soft']))

  async function fill(replica: Replica, content: string, key = 'k'): Promise<void> {
    await on(replica).get(key, ['soft'])
    await on(replica).set(key, Promise.resolve(useCacheEntry(content, { tags: ['t'] })))
  }

  /** Reads until one is answered from memory: the subscription is proven and the entry is held. */
  async function warm(replica: Replica, key = 'k'): Promise<void> {
    for (let tier = ''; tier !== 'local';) {
      const [seen] = await record('read', () => on(replica).get(key, ['soft']))
      tier = seen?.tier ?? ''
      if (tier !== 'local') await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  it('a hot key costs no command', async () => {
    await fill(a, 'content')
    await warm(b)
    const scriptReads = async () => {
      const { get = 0, hmget = 0, getrange = 0 } = await redis.commandStats()
      return get + getrange + hmget
    }
    await redis.resetCommandStats()
    const reads = await record('read', async () => {
      for (let i = 0; i < 2000; i++) expect(await read(b)).toBe('content')
    })
    // Where a heartbeat was late, which takes a machine that is, a conditional read proves it.
    const asked = reads.filter(({ tier }) => tier !== 'local').length
    expect(asked).toBeLessThan(20)
    // Each process reads the tag state once per heartbeat, inside the script.
    expect(await scriptReads()).toBeLessThan(20 + 3 * asked)
  })

  it('an invalidation elsewhere reaches memory as soon as its message arrives', async () => {
    await fill(a, 'old')
    await warm(b)
    await on(a).updateTags(['t'])
    while ((await read(b)) === 'old') await turn()
    expect(await read(b)).toBeUndefined()
    await fill(a, 'new')
    expect(await read(b)).toBe('new')
  })

  it('the replica that invalidates sees it at once', async () => {
    await fill(a, 'old')
    await warm(a)
    await on(a).updateTags(['t'])
    expect(await read(a)).toBeUndefined()
  })

  it('UNLINK of the tag state, which docs/operations.md tells to, reaches memory with the next heartbeat', async () => {
    await fill(a, 'old')
    await warm(a)
    await warm(b)
    await redis.command('UNLINK', STATE)
    for (const replica of [a, b]) while ((await read(replica)) === 'old') await turn()
    expect([await read(a), await read(b)]).toEqual([undefined, undefined])
    await fill(a, 'new')
    await warm(b)
    expect(await read(b)).toBe('new')
  })

  it('a soft tag of the reader is heard, too', async () => {
    await fill(a, 'old')
    await warm(b)
    await on(a).updateTags(['soft'])
    while ((await read(b)) === 'old') await turn()
  })

  it('a soft invalidation makes what is in memory stale, and the refresh replaces it everywhere', async () => {
    await fill(a, 'old')
    await warm(b)
    await on(a).updateTags(['t'], { expire: 3600 })
    while (!isStale(await on(b).get('k', ['soft']))) await turn()
    await on(a).set('k', Promise.resolve(useCacheEntry('new', { tags: ['t'] })))
    while ((await read(b)) !== 'new') await new Promise((resolve) => setTimeout(resolve, 5))
    await warm(b)
    expect((await on(b).get('k', ['soft']))?.revalidate).toBe(900)
  })

  it('an overwrite without an invalidation is announced', async () => {
    await fill(a, 'old')
    await warm(b)
    await on(a).set('k', Promise.resolve(useCacheEntry('new', { tags: ['t'] })))
    while ((await read(b)) !== 'new') await new Promise((resolve) => setTimeout(resolve, 5))
  })

  it('of two writes under way at once memory does not take the earlier one for the stored one', async () => {
    await fill(a, 'before')
    await warm(a)
    const set = (content: string) => on(a).set('k', Promise.resolve(useCacheEntry(content, { tags: ['t'] })))
    await Promise.all([set('first'), set('second')])
    expect([await read(a), await read(b)]).toEqual(['second', 'second'])
    await warm(a)
    expect(await read(a)).toBe('second')
  })

  it('a subscriber that is killed: bodies stay, and are proven again by conditional reads', async () => {
    await fill(a, 'content')
    await warm(b)
    const gap = nextEvent('gap', ({ reason }) => reason === 'subscribed')
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await gap
    const [after] = await record('read', () => on(b).get('k', ['soft']))
    expect(after?.tier).toBe('unchanged')
    await warm(b)
  })

  // The proxy stands before one server.
  it.skipIf(ON_CLUSTER)(
    'a subscriber whose link is silently dead is not believed for more than two seconds',
    async () => {
      await fill(a, 'old')
      const cut = start(proxy.url)
      await warm(cut)
      proxy.pause()
      await on(a).updateTags(['t'])
      const invalidatedAt = localNow()
      let lastServed = invalidatedAt
      for (;;) {
        const askedAt = localNow()
        const content = await read(cut)
        if (content === undefined) break
        lastServed = askedAt
        expect(lastServed - invalidatedAt).toBeLessThan(2000)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      proxy.resume()
    },
  )

  it('a lost message shows as a gap within a heartbeat', async () => {
    await fill(a, 'old')
    await warm(b)
    // The state moves without a word, as if the message had been dropped on its way.
    const state = 'ndc:test:tags'
    const [clock] = (await redis.command('HMGET', state, 'clock')) as string[]
    const next = String(Number(clock) + 1_000)
    await redis.command('HSET', state, 'clock', next, ':t', next)
    const since = localNow()
    for (let askedAt = since; (await read(b)) !== undefined; askedAt = localNow()) {
      expect(askedAt - since).toBeLessThan(2000)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  })

  it.skipIf(ON_CLUSTER)('two connections per replica', async () => {
    const before = proxy.open
    const alone = start(proxy.url)
    await fill(alone, 'x')
    await warm(alone)
    expect(proxy.open - before).toBe(2)
  })
})

describe.each(Object.keys(DRIVERS) as Driver[])('conditional reads over %s', (driver) => {
  afterEach(() => fleet.stop())

  // Counts the bytes of one server.
  it.skipIf(ON_CLUSTER).each(['strict', 'l1-pubsub'] as const)(
    '%s: a body that is held is not transferred again',
    async (preset) => {
      await redis.command('FLUSHALL')
      const reader = fleet.start({ url: redis.url, driver, options: { preset } }).useCacheHandlers.default
      const writer = fleet.start({ url: redis.url, driver, options: { preset } }).useCacheHandlers.default
      await writer.get('k', [])
      const bytes = 2 * 1024 * 1024
      await writer.set('k', Promise.resolve(useCacheEntry('x'.repeat(bytes), { tags: ['t'] })))
      const output = async () =>
        Number(/total_net_output_bytes:(\d+)/.exec((await redis.command('INFO', 'stats')) as string)?.[1])
      const transferred = async (): Promise<number> => {
        const asking = -(await output()) + (await output())
        const before = await output()
        expect((await contentOf(await reader.get('k', [])))?.length).toBe(bytes)
        return (await output()) - before - asking
      }
      expect(await transferred()).toBeGreaterThan(bytes)
      expect(await transferred()).toBeLessThan(1024)
      // A changed body is.
      await writer.set('k', Promise.resolve(useCacheEntry('changed', { tags: ['t'] })))
      while ((await contentOf(await reader.get('k', []))) !== 'changed') await turn()
    },
  )
})
