import { once } from 'node:events'
import { createServer } from 'node:net'
import { hashSlot, SLOT_COUNT } from '../../src/hash-slot'
import { aclRules, asUser, clusterRules, deniedTo, userArguments } from './acl'
import { type Argument, type RedisServer, type Reply, startServer } from './redis-server'

export interface RedisCluster {
  /** The primaries it began with, as a list. */
  readonly url: string
  /** Primaries first, as they were started; those that were stopped included. */
  readonly nodes: readonly RedisServer[]
  /** The primary that serves a key now, as the first of these nodes that answers sees it. */
  ownerOf(key: string, among?: readonly RedisServer[]): Promise<RedisServer>
  /** Asks the primary of the key; without one, any that lives. */
  command(key: string | undefined, ...args: [string, ...Argument[]]): Promise<Reply>
  /** On every primary. */
  everywhere(...args: [string, ...Argument[]]): Promise<Reply[]>
  /** The primaries that serve slots now, as a living node sees it. */
  primaries(): Promise<RedisServer[]>
  /** The node that says it follows this one. */
  replicaOf(primary: RedisServer): Promise<RedisServer>
  /** Starts a node again that was killed: it follows whoever was promoted. Resolves when all is whole. */
  revive(node: RedisServer): Promise<void>
  /** Moves a slot as an operator's tool does. `between` runs while it is open on both sides. */
  moveSlot(slot: number, to: RedisServer, between?: () => Promise<void>): Promise<void>
  stop(): Promise<void>
}

const HOST = '127.0.0.1'
/** How long to wait for what a cluster does by itself. */
const ENOUGH_MS = 40_000

export interface StartClusterOptions {
  readonly primaries?: number
  /** Per primary. */
  readonly replicas?: number
  readonly nodeTimeoutMs?: number
  /** Clients under test may do no more than docs/security.md says; what they are denied fails `stop`. */
  readonly acl?: boolean
}

/** A Redis Cluster on loopback: made by the same commands that `redis-cli --cluster create` sends. */
export async function startCluster({
  primaries = 3,
  replicas = 0,
  // Long: on a busy machine a slow node is no dead one. Tests of failover say what they want.
  nodeTimeoutMs = 15_000,
  acl = false,
}: StartClusterOptions = {}): Promise<RedisCluster> {
  const nodes: RedisServer[] = []
  const user = acl ? userArguments([...aclRules('ndc:*', 'ndc:*:bus'), ...clusterRules()]) : []
  const args = [...argumentsOf(nodeTimeoutMs), ...user]
  async function stop(): Promise<void> {
    const denied = await Promise.all(nodes.map((node) => deniedTo(node.command).catch(() => [])))
    await Promise.all(nodes.map((node) => node.stop()))
    if (denied.flat().length > 0) throw new Error(`The ACL user was denied: ${denied.flat().join(', ')}`)
  }
  try {
    for (let count = primaries * (1 + replicas); count > 0; count--) nodes.push(await startNode(args))
    await join(nodes, primaries)
    await Promise.all(
      nodes.slice(primaries).map((node, index) => follow(node, nodes[index % primaries] as RedisServer)),
    )
    // Each node has to know of every replica, or nobody votes for it.
    await settled(nodes, primaries, 1 + replicas)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    ...handleOf(nodes, primaries, acl, stop),
    async revive(node) {
      const { port, directory } = node
      const revived = await startServer({ args, port, directory })
      nodes.splice(nodes.indexOf(node), 1, revived)
      await until(async () => ((await revived.command('ROLE')) as Reply[])[0] === 'slave')
      await settled(nodes, primaries, 1 + replicas)
    },
  }
}

function argumentsOf(nodeTimeoutMs: number): string[] {
  const settings = {
    'cluster-enabled': 'yes',
    'cluster-node-timeout': String(nodeTimeoutMs),
    'cluster-announce-ip': HOST,
  }
  // Replicas follow at once, may always be promoted, and stay with their primary.
  const replication = {
    'repl-diskless-sync-delay': '0',
    'cluster-replica-validity-factor': '0',
    'cluster-allow-replica-migration': 'no',
  }
  return Object.entries({ ...settings, ...replication }).flatMap(([name, value]) => [`--${name}`, value])
}

async function startNode(args: readonly string[]): Promise<RedisServer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startServer({ args, port: await freePortPair() })
    } catch (error) {
      if (attempt === 10 || !/Address already in use|Failed listening/i.test(String(error))) throw error
    }
  }
}

/** The port of a node, such that the one 10,000 above, on which nodes talk to each other, is free, too. */
async function freePortPair(): Promise<number> {
  for (;;) {
    // Below the range from which the system hands out ports by itself.
    const port = 11_000 + Math.floor(Math.random() * 11_000)
    if ((await isFree(port)) && (await isFree(port + 10_000))) return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer()
  try {
    probe.listen(port, HOST)
    await once(probe, 'listening')
    return true
  } catch {
    return false
  } finally {
    probe.close()
  }
}

async function join(nodes: readonly RedisServer[], primaries: number): Promise<void> {
  const share = SLOT_COUNT / primaries
  for (const [index, node] of nodes.slice(0, primaries).entries()) {
    const from = Math.round(index * share)
    const slots = Array.from({ length: Math.round((index + 1) * share) - from }, (_, at) => from + at)
    await node.command('CLUSTER', 'ADDSLOTS', ...slots)
  }
  for (const [index, node] of nodes.entries()) {
    await node.command('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
    if (index > 0) await nodes[0]?.command('CLUSTER', 'MEET', HOST, node.port)
  }
  await settled(nodes, primaries, 1)
}

async function follow(node: RedisServer, primary: RedisServer): Promise<void> {
  const id = await primary.command('CLUSTER', 'MYID')
  await until(async () => {
    // Refused until it has heard of the primary.
    await node.command('CLUSTER', 'REPLICATE', id as string)
    return true
  })
  await until(async () => String(await node.command('INFO', 'replication')).includes('master_link_status:up'))
}

/** Waits until every node sees every slot served, by so many nodes each. */
async function settled(nodes: readonly RedisServer[], primaries: number, copies: number): Promise<void> {
  for (const node of nodes) {
    await until(async () => {
      const info = String(await node.command('CLUSTER', 'INFO'))
      const known = String(await node.command('CLUSTER', 'NODES'))
      const ranges = (await node.command('CLUSTER', 'SLOTS')) as Reply[][]
      return (
        info.includes('cluster_state:ok') &&
        known.trim().split('\n').length === nodes.length &&
        !/handshake|fail/.test(known) &&
        ranges.length >= primaries &&
        ranges.every((range) => range.length >= 2 + copies)
      )
    })
  }
}

export async function until(condition: () => Promise<boolean>, limitMs = ENOUGH_MS): Promise<void> {
  const deadline = performance.now() + limitMs
  for (let last: unknown; ;) {
    try {
      if (await condition()) return
    } catch (error) {
      last = error
    }
    if (performance.now() > deadline) throw new Error('what was waited for did not happen', { cause: last })
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/**
 * Waits until the primaries know each other's epochs. Two moves within one gossip would leave a slot without an
 * owner: its new one claims it with an older epoch than that of a message that is still under way.
 */
async function agreement(nodes: readonly RedisServer[]): Promise<void> {
  await until(async () => {
    const views = await Promise.all(
      nodes.map(async (node) => {
        const lines = String(await node.command('CLUSTER', 'NODES'))
          .trim()
          .split('\n')
        const epochs = lines.map((line) => line.split(' ')).map(([id, , , , , , epoch]) => `${id} ${epoch}`)
        return epochs.toSorted().join()
      }),
    )
    return new Set(views).size === 1
  })
}

interface Range {
  readonly from: number
  readonly to: number
  readonly node: RedisServer
}

function handleOf(
  nodes: readonly RedisServer[],
  count: number,
  acl: boolean,
  stop: () => Promise<void>,
): Omit<RedisCluster, 'revive'> {
  /** Of the first node that answers and has not been left behind by the others. */
  async function slots(among = nodes): Promise<Range[]> {
    for (const node of among) {
      try {
        if (String(await node.command('CLUSTER', 'INFO')).includes('cluster_state:ok'))
          return await slotsOf(node)
      } catch {
        // Stopped.
      }
    }
    throw new Error('no node of the cluster answers')
  }
  async function slotsOf(node: RedisServer): Promise<Range[]> {
    const ranges = (await node.command('CLUSTER', 'SLOTS')) as [number, number, [string, number]][]
    return ranges.map(([from, to, [, port]]) => {
      return { from, to, node: nodes.find((each) => each.port === port) as RedisServer }
    })
  }
  const find = (ranges: readonly Range[], slot: number) =>
    ranges.find(({ from, to }) => from <= slot && slot <= to)?.node
  const ownerAccordingTo = async (node: RedisServer, slot: number) => find(await slotsOf(node), slot)
  const ownerOfSlot = async (slot: number, among = nodes): Promise<RedisServer> => {
    const node = find(await slots(among), slot)
    if (node === undefined) throw new Error(`nobody serves slot ${slot}`)
    return node
  }
  const primaries = async (): Promise<RedisServer[]> => [...new Set((await slots()).map(({ node }) => node))]

  const seeds = nodes.slice(0, count).map(({ url }) => url)
  return {
    // The first one says for all who asks.
    url: acl ? asUser(seeds.join(',')) : seeds.join(','),
    nodes,
    stop,
    primaries,
    ownerOf: (key, among) => ownerOfSlot(hashSlot(key), among),
    async command(key, ...args) {
      const node = key === undefined ? (await primaries())[0] : await ownerOfSlot(hashSlot(key))
      return (node as RedisServer).command(...args)
    },
    async everywhere(...args) {
      return Promise.all((await primaries()).map((node) => node.command(...args)))
    },
    async replicaOf(primary) {
      for (const node of nodes) {
        const [role, , port] = ((await node.command('ROLE').catch(() => undefined)) ?? []) as Reply[]
        if (role === 'slave' && port === primary.port) return node
      }
      throw new Error(`nothing follows ${primary.url}`)
    },
    async moveSlot(slot, to, between) {
      const from = await ownerOfSlot(slot)
      if (from === to) return
      const [fromId, toId] = await Promise.all([
        from.command('CLUSTER', 'MYID'),
        to.command('CLUSTER', 'MYID'),
      ])
      await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId as string)
      await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId as string)
      await between?.()
      for (;;) {
        const keys = (await from.command('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[]
        if (keys.length === 0) break
        await from.command('MIGRATE', HOST, to.port, '', 0, 5_000, 'REPLACE', 'KEYS', ...keys)
      }
      const all = await primaries()
      const others = all.filter((node) => node !== from && node !== to)
      for (const node of [to, from, ...others])
        await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', toId as string)
      await agreement(all)
      for (const node of all) await until(async () => (await ownerAccordingTo(node, slot)) === to)
    },
  }
}
