import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { ConnectionEvent, RedisClient, RedisCommand } from '../../runtime/clients/client'
import { hashSlot } from '../../src/hash-slot'
import { startCluster, type RedisCluster } from '../support/redis-cluster'
import type { RedisServer } from '../support/redis-server'
import { DRIVERS } from '../support/replicas'

const ENOUGH_MS = 20_000

let cluster: RedisCluster
const cleanups: (() => unknown)[] = []

beforeAll(async () => {
  cluster = await startCluster({ primaries: 3 })
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})
afterAll(() => cluster?.stop())

interface Placed {
  key: string
  node: RedisServer
}

/** A key of each primary, and of a slot that no other test uses. */
let used = 0
async function keysOfEach(): Promise<Placed[]> {
  const found = new Map<RedisServer, string>()
  while (found.size < 3) {
    const key = `key-${used++}`
    const node = await cluster.ownerOf(key)
    if (!found.has(node)) found.set(node, key)
  }
  return Array.from(found, ([node, key]) => ({ key, node }))
}

describe.each(Object.entries(DRIVERS))('a cluster over %s', (_driver, createClient) => {
  function open(homeKey = 'home'): { client: RedisClient; events: ConnectionEvent[] } {
    const events: ConnectionEvent[] = []
    const client = createClient({
      url: cluster.url,
      topology: 'cluster',
      homeKey,
      connectMs: ENOUGH_MS,
      commandMs: ENOUGH_MS,
      clientName: 'cluster-test',
    })
    client.onEvent((event) => events.push(event))
    cleanups.push(() => client.close())
    return { client, events }
  }
  async function openReady(homeKey?: string): Promise<RedisClient> {
    const { client } = open(homeKey)
    await client.waitUntilReady(ENOUGH_MS)
    return client
  }

  it('rejects before it knows the nodes, and is ready by itself', async () => {
    const { client, events } = open()
    expect(client.ready).toBe(false)
    await expect(client.send([command('a', 'GET', 'a')])).rejects.toMatchObject({ code: 'CLIENT' })
    await expect(client.send([])).resolves.toEqual([])
    await client.waitUntilReady(ENOUGH_MS)
    expect(client.ready).toBe(true)
    expect(events).toEqual([{ type: 'ready' }])
  })

  it('splits a batch over the nodes and gives the replies in order, errors included', async () => {
    const client = await openReady()
    const [a, b, c] = (await keysOfEach()) as [Placed, Placed, Placed]
    const replies = await client.send([
      command(a.key, 'SET', a.key, 'A'),
      command(b.key, 'SET', b.key, 'B'),
      command(c.key, 'LPUSH', c.key, 'C'),
      command(undefined, 'ECHO', 'anybody'),
      command(a.key, 'GET', a.key),
      command(c.key, 'GET', c.key),
      command(b.key, 'GET', b.key),
    ])
    const ok = Buffer.from('OK')
    expect(replies.slice(0, 5)).toEqual([ok, ok, 1, Buffer.from('anybody'), Buffer.from('A')])
    expect((replies[5] as Error).message).toMatch(/^WRONGTYPE/)
    expect(replies[6]).toEqual(Buffer.from('B'))
  })

  it('tells the nodes apart as lanes', async () => {
    const client = await openReady()
    const lanes = (await keysOfEach()).map(({ key, node }) => {
      expect(client.laneOf(key)).toBe(`127.0.0.1:${node.port}`)
      return client.laneOf(key)
    })
    expect(new Set(lanes).size).toBe(3)
  })

  it('follows a slot that moves: ASK while it does, MOVED afterwards', async () => {
    const client = await openReady()
    const [from, to] = (await keysOfEach()) as [Placed, Placed]
    const { key } = from
    await client.send([command(key, 'SET', key, 'before')])
    const missing = `{${key}}:missing`
    await cluster.moveSlot(hashSlot(key), to.node, async () => {
      // The key is still there; one that is not there is asked for at the new place.
      await expect(
        client.send([command(key, 'GET', key), command(missing, 'SET', missing, 'there')]),
      ).resolves.toEqual([Buffer.from('before'), Buffer.from('OK')])
      await expect(client.send([command(missing, 'GET', missing)])).resolves.toEqual([Buffer.from('there')])
    })
    await to.node.command('CONFIG', 'RESETSTAT')
    await expect(client.send([command(key, 'GET', key)])).resolves.toEqual([Buffer.from('before')])
    expect(client.laneOf(key)).toBe(`127.0.0.1:${to.node.port}`)
    // It learnt: from now on there is no detour.
    await from.node.command('CONFIG', 'RESETSTAT')
    await client.send([command(key, 'GET', key)])
    expect((await from.node.commandStats())['get']).toBeUndefined()
    expect((await to.node.commandStats())['get']).toBe(2)
    await cluster.moveSlot(hashSlot(key), from.node)
  })

  it('tries again while the keys of a script are on two nodes, and says so when its time is over', async () => {
    const client = await openReady()
    const [from, to] = (await keysOfEach()) as [Placed, Placed]
    const other = `{${from.key}}:other`
    const both = (timeoutMs?: number) =>
      client.send(
        [command(from.key, 'EVAL', "return redis.call('MGET', KEYS[1], KEYS[2])", '2', from.key, other)],
        timeoutMs,
      )
    await client.send([command(from.key, 'SET', from.key, 'x')])
    let patient: Promise<unknown> | undefined
    await cluster.moveSlot(hashSlot(from.key), to.node, async () => {
      const [refused] = await both(200)
      expect((refused as Error).message).toMatch(/^TRYAGAIN/)
      patient = both()
    })
    await expect(patient).resolves.toEqual([[Buffer.from('x'), null]])
    await cluster.moveSlot(hashSlot(from.key), from.node)
  })

  it('announces that the home moved, and takes the subscription along', async () => {
    const [from, to] = (await keysOfEach()) as [Placed, Placed]
    const { client, events } = open(from.key)
    await client.waitUntilReady(ENOUGH_MS)
    const heard: string[] = []
    const states: boolean[] = []
    client.subscribe(
      'channel',
      (payload) => heard.push(String(payload)),
      (live) => states.push(live),
    )
    await eventually(() => expect(states).toEqual([true]))
    const subscribers = async (node: RedisServer) =>
      ((await node.command('PUBSUB', 'NUMSUB', 'channel')) as [string, number])[1]
    expect(await subscribers(from.node)).toBe(1)
    // From any node to where it listens.
    for (const node of cluster.nodes) await node.command('PUBLISH', 'channel', String(node.port))
    await eventually(() =>
      expect(heard.toSorted()).toEqual(cluster.nodes.map(({ port }) => String(port)).toSorted()),
    )

    await cluster.moveSlot(hashSlot(from.key), to.node)
    await client.send([command(from.key, 'GET', from.key)])
    await eventually(() => expect(events.map(({ type }) => type)).toEqual(['ready', 'end', 'ready']))
    await eventually(() => expect(states).toEqual([true, false, true]))
    expect(await subscribers(to.node)).toBe(1)
    await cluster.moveSlot(hashSlot(from.key), from.node)
  })

  it('finds the cluster through any seed that answers, and closes every connection', async () => {
    const client = createClient({
      url: `redis://127.0.0.1:1,${cluster.nodes[1]?.url},redis://127.0.0.1:2`,
      topology: 'cluster',
      homeKey: 'home',
      connectMs: ENOUGH_MS,
      commandMs: ENOUGH_MS,
      clientName: 'to-be-closed',
    })
    await client.waitUntilReady(ENOUGH_MS)
    for (const { key } of await keysOfEach()) await client.send([command(key, 'GET', key)])
    const open = async () => {
      const lists = await cluster.everywhere('CLIENT', 'LIST')
      return lists.join('\n').split('name=to-be-closed').length - 1
    }
    expect(await open()).toBe(3)
    await client.close()
    await expect(client.send([])).rejects.toMatchObject({ code: 'CLOSED' })
    await vi.waitFor(async () => expect(await open()).toBe(0), { timeout: ENOUGH_MS })
  })
})

function command(key: string | undefined, ...args: [string, ...(string | Buffer)[]]): RedisCommand {
  return { key, args }
}

function eventually(assertion: () => void): Promise<void> {
  return vi.waitFor(assertion, { timeout: ENOUGH_MS })
}
