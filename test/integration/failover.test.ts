import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RuntimeTuning } from '../../runtime/create-runtime'
import type { Driver, Preset } from '../../src/options'
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

// A primary and its replica, and for each process a proxy that leads to the one or the other. The replica is
// promoted before the invalidation: whatever the old primary acknowledges from then on is lost by the failover.

const STATE = 'ndc:test:tags'
const soon = { timeout: 20_000, interval: 20 }
const fleet = createFleet()
let primary: RedisServer
let replica: RedisServer
let proxies: TcpProxy[]

beforeEach(async () => {
  primary = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] })
  replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(primary.port)] })
  proxies = []
})
afterEach(async () => {
  await fleet.stop()
  for (const proxy of proxies) await proxy.close()
  await replica.stop()
  await primary.stop()
})

async function start(
  driver: Driver,
  preset: Preset,
  tuning?: RuntimeTuning,
): Promise<Replica & { proxy: TcpProxy }> {
  const proxy = await startTcpProxy(primary.port)
  proxies.push(proxy)
  return Object.assign(
    fleet.start({ url: proxy.url, driver, options: { preset }, ...(tuning && { tuning }) }),
    { proxy },
  )
}

/** A process that comes up on the new primary; it takes a fleet that a slow test left alone for a living one. */
function startOnReplica(driver: Driver, preset: Preset = 'strict'): Replica {
  return fleet.start({ url: replica.url, driver, options: { preset }, tuning: { attendGraceMs: 600_000 } })
}

/** The replica has all that the primary has, and takes writes from here on. */
async function promote(): Promise<void> {
  const offset = async (server: RedisServer) =>
    /master_repl_offset:(\d+)/.exec(String(await server.command('INFO', 'replication')))?.[1]
  await expect
    .poll(async () => String(await replica.command('INFO', 'replication')), soon)
    .toContain('master_link_status:up')
  // Heartbeats go on meanwhile; what counts is there as soon as the marker is.
  await primary.command('SET', 'marker', String(await offset(primary)), 'PX', '60000')
  await expect.poll(() => replica.command('EXISTS', 'marker'), soon).toBe(1)
  await replica.command('REPLICAOF', 'NO', 'ONE')
}

const on = ({ useCacheHandlers }: Replica) => useCacheHandlers.default
const read = async (from: Replica, key = 'k') => {
  const entry = await on(from).get(key, [])
  return entry && { content: await contentOf(entry), stale: isStale(entry) }
}

/** Reads until Redis answered; nothing that an earlier read said may be of use. */
async function answered(from: Replica, key = 'k'): ReturnType<typeof read> {
  for (;;) {
    let said: Awaited<ReturnType<typeof read>>
    const [seen] = await record('read', async () => (said = await read(from, key)))
    if (seen?.tier !== 'none') return said
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function fill(from: Replica, content: string, key = 'k', tags = ['t']): Promise<void> {
  await on(from).get(key, [])
  await on(from).set(key, Promise.resolve(useCacheEntry(content, { tags })))
}

function failOver({ proxy }: { proxy: TcpProxy }): void {
  proxy.retarget(replica.port)
  proxy.cut()
}

const cells = (Object.keys(DRIVERS) as Driver[]).flatMap((driver) =>
  (['strict', 'l1-pubsub'] as const).map((preset) => ({ driver, preset })),
)

describe.each(cells)(
  'a failover loses an acknowledged invalidation: $driver, $preset',
  ({ driver, preset }) => {
    it.each(['hard', 'soft'] as const)('%s: nothing older is served as fresh', async (kind) => {
      const a = await start(driver, preset)
      const b = await start(driver, preset)
      await fill(a, 'old')
      expect(await answered(b)).toEqual({ content: 'old', stale: false })
      await promote()
      await on(a).updateTags(['t'], kind === 'soft' ? { expire: 3600 } : undefined)
      expect(await replica.command('HGET', STATE, ':t')).toBeNull()
      const expected = kind === 'soft' ? { content: 'old', stale: true } : undefined
      await expect.poll(() => read(b), soon).toEqual(expected)

      // Another process moves the clock of the new primary past all that was seen: only what the record
      // says shows that something was lost.
      const other = startOnReplica(driver)
      await on(other).updateTags(['unrelated'])
      const lostClock = Number(
        String(await primary.command('HGET', STATE, ':t'))
          .split(' ')
          .at(kind === 'soft' ? 1 : 0),
      )
      expect(Number(await replica.command('HGET', STATE, 'clock'))).toBeGreaterThan(lostClock)
      expect(await read(other)).toEqual({ content: 'old', stale: false })

      const restored = nextEvent('restored')
      failOver(a)
      expect(await answered(a)).toEqual(expected)
      expect(await restored).toEqual({ tags: 1 })
      // With the clock and the deadline that it had.
      expect(await replica.command('HGET', STATE, ':t')).toBe(await primary.command('HGET', STATE, ':t'))
      failOver(b)
      expect(await answered(b)).toEqual(expected)
      expect(await answered(other)).toEqual(expected)

      await fill(a, 'new')
      for (const each of [a, b, other]) expect(await answered(each)).toEqual({ content: 'new', stale: false })
    })

    it('when nothing was lost, nothing is said and nothing is forgotten', async () => {
      const a = await start(driver, preset)
      await fill(a, 'first')
      await on(a).updateTags(['t'], { expire: 3600 })
      await on(a).updateTags(['x'])
      await fill(a, 'kept')
      await fill(a, 'other', 'o', ['x'])
      await promote()
      const state = await replica.command('HMGET', STATE, 'floor', 'clock', ':t', ':x')
      const restored = await record('restored', async () => {
        failOver(a)
        expect(await answered(a)).toEqual({ content: 'kept', stale: false })
        expect(await answered(a, 'o')).toEqual({ content: 'other', stale: false })
      })
      expect(restored).toEqual([])
      expect(await replica.command('HMGET', STATE, 'floor', 'clock', ':t', ':x')).toEqual(state)
    })
  },
)

describe.each(Object.keys(DRIVERS) as Driver[])('local memory and a failover, over %s', (driver) => {
  it('whoever heard an invalidation restores it, also when the one that sent it is dead', async () => {
    const a = await start(driver, 'strict')
    const b = await start(driver, 'l1-pubsub')
    await fill(a, 'old')
    expect(await answered(b)).toEqual({ content: 'old', stale: false })
    await promote()
    await on(a).updateTags(['t'])
    // It heard of it when its memory no longer serves the entry.
    await expect.poll(() => read(b), soon).toBeUndefined()
    await a.close()
    const other = startOnReplica(driver)
    await on(other).updateTags(['unrelated'])
    const restored = nextEvent('restored')
    failOver(b)
    expect(await answered(b)).toBeUndefined()
    await restored
    expect(await read(other)).toBeUndefined()
  })

  it('what others hold in memory does not survive the restoration', async () => {
    const a = await start(driver, 'strict')
    await fill(a, 'old')
    await promote()
    await on(a).updateTags(['t'])
    const other = startOnReplica(driver, 'l1-pubsub')
    await on(other).updateTags(['unrelated'])
    await expect
      .poll(async () => (await record('read', () => read(other)))[0], soon)
      .toMatchObject({ tier: 'local', result: 'hit' })
    const gap = nextEvent('gap', ({ reason }) => reason === 'restore')
    failOver(a)
    expect(await answered(a)).toBeUndefined()
    await gap
    expect(await read(other)).toBeUndefined()
  })

  it('more than is remembered was lost: everything older is', async () => {
    const a = await start(driver, 'strict')
    await fill(a, 'old', 'k', ['lost-0'])
    await fill(a, 'old', 'o', ['nobody'])
    await promote()
    for (let from = 0; from < 8_000; from += 1_000) {
      await on(a).updateTags(Array.from({ length: 1_000 }, (_, index) => `lost-${from + index}`))
    }
    const other = startOnReplica(driver)
    await on(other).updateTags(['unrelated'])
    const restored = nextEvent('restored')
    failOver(a)
    expect(await answered(a)).toBeUndefined()
    expect(await restored).toEqual({ tags: 5_000 })
    expect(await read(other)).toBeUndefined()
    expect(await read(other, 'o')).toBeUndefined()
  })
})

it('a new connection costs the same with something to restore as without', async () => {
  // The heartbeat would count.
  const a = await start('ioredis', 'strict', { attendEveryMs: 3_600_000 })
  await promote()
  const roundTripsOfReconnect = async () => {
    a.proxy.delay(25)
    failOver(a)
    a.proxy.resetCounters()
    await answered(a)
    a.proxy.delay(0)
    return a.proxy.roundTrips
  }
  await answered(a)
  const without = await roundTripsOfReconnect()
  await on(a).updateTags(Array.from({ length: 1_200 }, (_, index) => `tag-${index}`))
  const evalsha = async () => (await replica.commandStats())['evalsha'] ?? 0
  await replica.resetCommandStats()
  expect(await roundTripsOfReconnect()).toBe(without)
  // Its attendance, and three calls for 1,200 tags.
  expect(await evalsha()).toBe(4)
})
