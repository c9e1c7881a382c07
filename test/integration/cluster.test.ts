import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { hashSlot } from '../../src/hash-slot'
import { createKeyNames } from '../../src/key-names'
import { withRule } from '../support/acl'
import { type RedisCluster, startCluster, until } from '../support/redis-cluster'
import type { RedisServer } from '../support/redis-server'
import {
  contentOf,
  createFleet,
  DRIVERS,
  nextEvent,
  record,
  type Replica,
  type ReplicaOptions,
  TEST_OPTIONS,
  useCacheEntry,
} from '../support/replicas'

// One driver a replica: what differs between them is in cluster-client.test.ts.
const names = createKeyNames(TEST_OPTIONS.keyPrefix, 'build-1')
const patient = { connectMs: 20_000, commandMs: 20_000, requestBudgetMs: 20_000 }
const turn = () => new Promise((resolve) => setTimeout(resolve, 5))

let cluster: RedisCluster
const fleet = createFleet()
const cleanups: (() => unknown)[] = []

beforeAll(async () => {
  cluster = await startCluster({ acl: process.env['NDC_ACL'] === '1' })
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
  await fleet.stop()
  await cluster.everywhere('FLUSHALL')
})
afterAll(() => cluster?.stop())

function start(driver: ReplicaOptions['driver'], options: ReplicaOptions['options'] = {}): Replica {
  return fleet.start({ url: cluster.url, driver, options: { timeouts: patient, ...options } })
}
const on = (replica: Replica) => replica.useCacheHandlers.default
const read = async (replica: Replica, key: string) => contentOf(await on(replica).get(key, []))
async function fill(replica: Replica, key: string, content: string, tags = ['t']): Promise<void> {
  await on(replica).get(key, [])
  await on(replica).set(key, Promise.resolve(useCacheEntry(content, { tags })))
}
async function warm(replica: Replica, key: string): Promise<void> {
  for (let tier = ''; tier !== 'local'; await turn()) {
    const [seen] = await record('read', () => on(replica).get(key, []))
    tier = seen?.tier ?? ''
  }
}
/** Everything that is said on the bus from now on. */
async function overhear(): Promise<string[]> {
  const said: string[] = []
  const client = DRIVERS.ioredis({ url: cluster.url, topology: 'cluster', ...patient, clientName: 'spy' })
  cleanups.push(() => client.close())
  const note = (payload: Buffer): void => void said.push(String(payload))
  await new Promise<void>((resolve) => client.subscribe(names.bus, note, (live) => live && resolve()))
  return said
}
/** Cache keys of which each lives on another primary; the first beside the tag state. */
async function keysOfEach(): Promise<{ key: string; node: RedisServer }[]> {
  const home = await cluster.ownerOf(names.tags)
  const found = new Map<RedisServer, string>()
  for (let count = 0; found.size < 3; count++) {
    const key = `key-${count}`
    const node = await cluster.ownerOf(names.entry('use-cache', key))
    if (!found.has(node)) found.set(node, key)
  }
  return Array.from(found, ([node, key]) => ({ key, node })).toSorted(
    (a, b) => Number(b.node === home) - Number(a.node === home),
  )
}

describe('keys', () => {
  it('3,000 entries spread evenly, and each replica has one connection to each primary', async () => {
    const replica = start('ioredis')
    await read(replica, 'first')
    const before = (await cluster.everywhere('DBSIZE')) as number[]
    for (let batch = 0; batch < 30; batch++) {
      const writes = Array.from({ length: 100 }, (_, index) => fill(replica, `entry-${batch}-${index}`, 'x'))
      await Promise.all(writes)
    }
    const counts = ((await cluster.everywhere('DBSIZE')) as number[]).map(
      (size, node) => size - (before[node] ?? 0),
    )
    expect(counts.reduce((sum, count) => sum + count)).toBe(3000)
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(200)
    const connections = (await cluster.everywhere('CLIENT', 'LIST')).map(
      (list) => String(list).split(`name=${TEST_OPTIONS.keyPrefix} `).length - 1,
    )
    expect(connections).toEqual([1, 1, 1])
  })

  it('a read, a write and an invalidation wherever the entry lives', async () => {
    const [a, b] = [start('ioredis'), start('redis')]
    for (const { key } of await keysOfEach()) {
      await fill(a, key, 'old', [`tag of ${key}`])
      expect(await read(b, key)).toBe('old')
      await on(b).updateTags([`tag of ${key}`])
      expect(await read(a, key)).toBeUndefined()
      await fill(b, key, 'new', [`tag of ${key}`])
      expect(await read(a, key)).toBe('new')
    }
  })

  it('one replica generates what both want, on every node', async () => {
    const singleFlight = { leaseMs: 1500, waitMs: 20_000 }
    const [a, b] = [start('ioredis', { singleFlight }), start('redis', { singleFlight })]
    for (const { key } of await keysOfEach()) {
      expect(await read(a, key)).toBeUndefined()
      const waited = nextEvent('waited')
      const follower = read(b, key)
      await on(a).set(key, Promise.resolve(useCacheEntry('made once')))
      expect(await follower).toBe('made once')
      // Unless it was so late that the entry was there already.
      void waited
    }
  })
})

describe('l1-pubsub', () => {
  it('hears overwrites and invalidations from every node, and misses nothing', async () => {
    const [a, b] = [start('ioredis', { preset: 'l1-pubsub' }), start('redis', { preset: 'l1-pubsub' })]
    const keys = (await keysOfEach()).map(({ key }) => key)
    for (const key of keys) {
      await fill(a, key, 'old')
      await warm(b, key)
      await warm(a, key)
    }
    for (const key of keys) await fill(b, key, 'old')
    // Each has to know all lanes of the other, or the first word of one looks like a later one.
    const said = await overhear()
    const repeated = () => said.filter((message) => message.startsWith('lane '))
    const speakers = () => new Set(repeated().map((message) => /"p":"([^"]+)"/.exec(message)?.[1])).size
    await until(async () => speakers() === 4 && repeated().length >= 12)
    for (const key of keys) for (const replica of [a, b]) await warm(replica, key)
    said.length = 0
    const gaps = await record('gap', async () => {
      for (let round = 0; round < 20; round++) {
        for (const key of keys)
          await on(a).set(key, Promise.resolve(useCacheEntry(`a${round}`, { tags: ['t'] })))
        for (const key of keys) while ((await read(b, key)) !== `a${round}`) await turn()
        for (const key of keys)
          await on(b).set(key, Promise.resolve(useCacheEntry(`b${round}`, { tags: ['t'] })))
        for (const key of keys) while ((await read(a, key)) !== `b${round}`) await turn()
      }
      // Heartbeats of every lane have to fit in, too: two of each of the four.
      await until(async () => repeated().length >= 8)
      await on(a).updateTags(['t'])
      for (const key of keys) while ((await read(b, key)) !== undefined) await turn()
    })
    expect(gaps).toEqual([])
  })

  it('a message that was lost on another node than that of the tag state shows with the heartbeat of its lane', async () => {
    const writer = start('ioredis')
    const listener = start('redis', { preset: 'l1-pubsub' })
    const [, { key, node }] = (await keysOfEach()) as [unknown, { key: string; node: RedisServer }]
    await fill(writer, key, 'content')
    await warm(listener, key)
    // It has to know the writer before it can miss something of its.
    const said = await overhear()
    await until(async () => said.some((message) => message.startsWith('lane ')))
    const gap = nextEvent('gap', ({ reason }) => reason === 'sequence')
    // The number is spent, the message goes nowhere.
    const relent = await withRule(cluster.url, node.command, 'resetchannels', '&ndc:*:bus')
    await on(writer).set(key, Promise.resolve(useCacheEntry('unheard')))
    await relent()
    await gap
  })
})

describe('slots that move', () => {
  it('under load nothing is refused, and every invalidation is acknowledged', async () => {
    const [a, b] = [start('ioredis'), start('redis')]
    const replicas = [a, b]
    const keys = Array.from({ length: 12 }, (_, index) => `moving-${index}`)
    for (const replica of replicas) for (const key of keys) await read(replica, key)
    let moving = true
    let rounds = 0
    /** One generation at a time per replica: what overlaps could be made of each other, and is fenced so. */
    async function load(writer: Replica, reader: Replica, parity: number): Promise<void> {
      for (let round = 0; moving || round < keys.length; round++) {
        const key = keys[(2 * round + parity) % keys.length] as string
        const content = `${key} ${round}`
        await fill(writer, key, content, [key])
        expect(await read(reader, key)).toBe(content)
        await on(round % 2 === 0 ? writer : reader).updateTags([key])
        expect(await read(reader, key)).toBeUndefined()
        expect(await read(writer, key)).toBeUndefined()
        rounds++
      }
    }
    const refused = async (run: () => Promise<void>) => {
      const seen: unknown[] = []
      await record('unavailable', async () =>
        seen.push(...(await record('journalled', async () => seen.push(...(await record('skip', run)))))),
      ).then((events) => seen.push(...events))
      return seen
    }
    const events = await refused(async () => {
      const loads = Promise.all([load(a, b, 0), load(b, a, 1)])
      // Awaited below, when the slots have moved.
      loads.catch(() => {})
      try {
        // The tag state itself, and every other key of the load, there and back.
        const slots = [names.tags, ...keys.map((key) => names.entry('use-cache', key))].map(hashSlot)
        const nodes = await cluster.primaries()
        for (const shift of [1, 2, 0]) {
          for (const [index, slot] of slots.entries()) {
            await cluster.moveSlot(slot, nodes[(index + shift) % nodes.length] as RedisServer)
          }
        }
      } finally {
        moving = false
      }
      await loads
    })
    expect(events).toEqual([])
    expect(rounds).toBeGreaterThanOrEqual(2 * keys.length)
  })
})
