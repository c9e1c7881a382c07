import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { streamOf } from '../../runtime/handlers/use-cache-codec'
import type { Driver } from '../../src/options'
import { type RedisServer, startRedis } from '../support/redis-server'
import {
  contentOf,
  createFleet,
  DRIVERS,
  isStale,
  record,
  type Replica,
  useCacheEntry,
} from '../support/replicas'

let redis: RedisServer
const fleet = createFleet()

beforeAll(async () => void (redis = await startRedis()))
afterAll(() => redis.stop())

describe.each(Object.keys(DRIVERS) as Driver[])('use cache over %s', (driver) => {
  let a: Replica
  let b: Replica

  beforeEach(async () => {
    await redis.command('FLUSHALL')
    a = fleet.start({ url: redis.url, driver })
    b = fleet.start({ url: redis.url, driver })
  })
  afterEach(() => fleet.stop())

  const on = (replica: Replica) => replica.useCacheHandlers.default

  /** A generation begins only after a miss, as in Next: the miss is what its fence rests on. */
  async function fill(replica: Replica, key: string, content: string, more = {}): Promise<void> {
    await on(replica).get(key, [])
    await on(replica).set(key, Promise.resolve(useCacheEntry(content, more)))
  }

  it('what one replica stores the other serves, with its life and its true age', async () => {
    expect(await on(b).get('k', [])).toBeUndefined()
    const entry = useCacheEntry('content', { tags: ['t'], expire: Infinity, revalidate: 60, stale: 30 })
    await on(a).set('k', Promise.resolve(entry))
    const read = await on(b).get('k', [])
    expect(read).toMatchObject({ tags: ['t'], expire: Infinity, revalidate: 60, stale: 30 })
    // Each knows the server's time to half of a round trip, which may hold a dial.
    expect(Math.abs((read?.timestamp ?? 0) - entry.timestamp)).toBeLessThan(2_000)
    expect(await contentOf(read)).toBe('content')
    expect(await contentOf(await on(b).get('k', []))).toBe('content')
  })

  it.each(['none', 'gzip'] as const)(
    'what the page does with an array that it was given stays with the page (compression: %s)',
    async (codec) => {
      const compression = { codec, thresholdBytes: 4_096 }
      const replica = fleet.start({ url: redis.url, driver, options: { compression } })
      const array = new Uint8Array(5_000).fill(0x61)
      await on(replica).get('k', [])
      const stored = on(replica).set('k', Promise.resolve({ ...useCacheEntry(''), value: streamOf(array) }))
      // It has the array when the stream has ended, whoever still works on what came out of it.
      for (let step = 0; step < 20; step++) await Promise.resolve()
      array.fill(0x62)
      await stored
      structuredClone(array, { transfer: [array.buffer] })
      for (const reader of [replica, replica, b])
        expect(await contentOf(await on(reader).get('k', []))).toBe('a'.repeat(5_000))
    },
  )

  it('one object serves both kinds, so that Next announces an invalidation once', () => {
    expect(a.useCacheHandlers.default).toBe(a.useCacheHandlers.remote)
  })

  it('a hard invalidation on one replica is a miss on the other, at once', async () => {
    await fill(a, 'k', 'old', { tags: ['t'] })
    await on(b).updateTags(['t'])
    expect(await on(a).get('k', [])).toBeUndefined()
    await on(a).set('k', Promise.resolve(useCacheEntry('new', { tags: ['t'] })))
    expect(await contentOf(await on(b).get('k', []))).toBe('new')
  })

  it('a soft invalidation serves the old entry once more, never as younger than it is, and with a life that a page may inherit', async () => {
    await fill(a, 'k', 'old', { tags: ['t'] })
    const before = await on(b).get('k', [])
    await on(b).updateTags(['t'], { expire: 3600 })
    const stale = await on(a).get('k', [])
    expect(isStale(stale)).toBe(true)
    expect(stale?.revalidate).toBe(1)
    expect(stale?.timestamp).toBeLessThan((before?.timestamp ?? 0) + 2_000)
    expect(await contentOf(stale)).toBe('old')
    await on(a).set('k', Promise.resolve(useCacheEntry('new', { tags: ['t'] })))
    expect((await on(b).get('k', []))?.revalidate).toBe(900)
  })

  it('durations with expire 0 are hard; without expire they never turn hard', async () => {
    await fill(a, 'k', 'old', { tags: ['zero'] })
    await fill(a, 'l', 'old', { tags: ['none'] })
    await on(a).updateTags(['zero'], { expire: 0 })
    await on(a).updateTags(['none'], {})
    expect(await on(b).get('k', [])).toBeUndefined()
    expect(isStale(await on(b).get('l', []))).toBe(true)
  })

  it('a soft tag expires an entry, but never makes it stale, as in Next', async () => {
    await fill(a, 'k', 'old')
    await on(a).updateTags(['_N_T_/page'], { expire: 3600 })
    expect((await on(b).get('k', ['_N_T_/page']))?.revalidate).toBe(900)
    await on(a).updateTags(['_N_T_/page'])
    expect(await on(b).get('k', ['_N_T_/page'])).toBeUndefined()
    expect(await contentOf(await on(b).get('k', ['_N_T_/other']))).toBe('old')
    expect(await on(b).getExpiration(['_N_T_/page'])).toBe(Infinity)
  })

  it('a generation that began before a hard invalidation is never served after it', async () => {
    await on(a).get('k', [])
    const slow = useCacheEntry('old', { tags: ['t'] })
    await on(b).updateTags(['t'])
    await on(a).set('k', Promise.resolve(slow))
    expect(await on(a).get('k', [])).toBeUndefined()
    expect(await on(b).get('k', [])).toBeUndefined()
  })

  it('hard, then soft: the old entry does not come back', async () => {
    await fill(a, 'k', 'old', { tags: ['t'] })
    await on(a).updateTags(['t'])
    await on(a).updateTags(['t'], { expire: 3600 })
    expect(await on(b).get('k', [])).toBeUndefined()
  })

  it('of two generations the one that began later stays, whoever writes last', async () => {
    await on(a).get('k', [])
    await on(b).get('k', [])
    const early = useCacheEntry('early')
    // By more than replicas may be wrong about the server's time: half of a round trip, which may hold a dial.
    const late = useCacheEntry('late', { timestamp: early.timestamp + 5_000 })
    await on(b).set('k', Promise.resolve(late))
    const writes = await record('write', () => on(a).set('k', Promise.resolve(early)))
    expect(writes).toMatchObject([{ outcome: 'superseded' }])
    expect(await contentOf(await on(a).get('k', []))).toBe('late')
  })

  it('a process that knows nothing of the tag state stores nothing', async () => {
    const longAgo = useCacheEntry('old', { timestamp: 0 })
    const skips = await record('skip', () => on(a).set('k', Promise.resolve(longAgo)))
    expect(skips).toMatchObject([{ reason: 'no-fence' }])
  })

  it('a stream that errors midway, an entry with expire 0 and a generation that fails store nothing', async () => {
    await on(a).get('k', [])
    const partial = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(Buffer.from('half'))
        controller.error(new Error('render failed'))
      },
    })
    const skips = await record('skip', async () => {
      await on(a).set('k', Promise.resolve(useCacheEntry('', { value: partial })))
      await on(a).set('k', Promise.resolve(useCacheEntry('x', { expire: 0 })))
      await on(a).set('k', Promise.reject(new Error('render failed')))
    })
    expect(skips.map(({ reason }) => reason)).toEqual(['stream-error', 'expire-0', 'stream-error'])
    expect(await on(b).get('k', [])).toBeUndefined()
  })

  it('get waits for a pending set of the same key in this process', async () => {
    await on(a).get('k', [])
    let finish = (_entry: ReturnType<typeof useCacheEntry>): void => {}
    const pending = new Promise<ReturnType<typeof useCacheEntry>>((resolve) => (finish = resolve))
    const set = on(a).set('k', pending)
    const get = on(a).get('k', [])
    finish(useCacheEntry('content'))
    expect(await contentOf(await get)).toBe('content')
    await set
  })

  it('redirect entries for root params keep their one byte and their tags', async () => {
    await fill(a, 'coarse', '\0', { tags: ['_N_RP_lang'] })
    const read = await on(b).get('coarse', [])
    expect(read?.tags).toEqual(['_N_RP_lang'])
    expect(await contentOf(read)).toBe('\0')
  })

  it('keys that differ only in lone surrogates are different keys', async () => {
    await fill(a, 'key \ud800', 'one')
    await fill(a, 'key \ud801', 'two')
    expect(await contentOf(await on(b).get('key \ud800', []))).toBe('one')
    expect(await contentOf(await on(b).get('key \ud801', []))).toBe('two')
  })

  it('handles each chunk of a stream and a large entry bit for bit', async () => {
    const bytes = Buffer.alloc(2 * 1024 * 1024, Buffer.from([...Array(256).keys()]))
    await on(a).get('big', [])
    const value = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += 65_536) controller.enqueue(bytes.subarray(at, at + 65_536))
        controller.close()
      },
    })
    await on(a).set('big', Promise.resolve(useCacheEntry('', { value })))
    const read = await on(b).get('big', [])
    expect(Buffer.from(await new Response(read?.value).arrayBuffer()).equals(bytes)).toBe(true)
  })

  it('an entry beyond maxEntryBytes is neither stored nor collected', async () => {
    const small = fleet.start({ url: redis.url, driver, options: { maxEntryBytes: 1000 } })
    await on(small).get('k', [])
    const skips = await record('skip', () =>
      on(small).set('k', Promise.resolve(useCacheEntry('', { value: streamOf(Buffer.alloc(2000)) }))),
    )
    expect(skips).toMatchObject([{ reason: 'too-large' }])
  })

  it('with remote-only, plain use cache stays local but hears every invalidation', async () => {
    const local = fleet.start({ url: redis.url, driver, options: { useCache: 'remote-only' } })
    const handler = local.useCacheHandlers.default
    expect(handler).not.toBe(local.useCacheHandlers.remote)
    await handler.get('k', [])
    await handler.set('k', Promise.resolve(useCacheEntry('content', { tags: ['t'] })))
    expect(await contentOf(await handler.get('k', []))).toBe('content')
    expect(await on(a).get('k', [])).toBeUndefined()
    await on(a).updateTags(['t'])
    expect(await handler.get('k', [])).toBeUndefined()
  })
})
