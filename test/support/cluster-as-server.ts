import { startCluster } from './redis-cluster'
import type { RedisServer, Reply } from './redis-server'

/** Commands without a key, which concern every node. */
const EVERYWHERE = new Set([
  'FLUSHALL',
  'DBSIZE',
  'KEYS',
  'CONFIG',
  'CLIENT',
  'INFO',
  'PUBSUB',
  'SCRIPT',
  'ACL',
])
/** Position of the key where it is not the first argument. */
const KEY_AT: Readonly<Record<string, number>> = { EVAL: 3, EVALSHA: 3 }

/**
 * A Redis Cluster that the integration tests take for a server: with `NDC_TOPOLOGY=cluster` they all run
 * against one. What is asked goes to the node of the key, or to all, and the answers become one.
 */
export async function startClusterAsServer(): Promise<RedisServer> {
  const cluster = await startCluster({ acl: process.env['NDC_ACL'] === '1' })
  const [first] = cluster.nodes as [RedisServer, ...RedisServer[]]
  const command: RedisServer['command'] = async (...args) => {
    const name = args[0].toUpperCase()
    if (EVERYWHERE.has(name)) return merged(await cluster.everywhere(...args))
    const key = args[KEY_AT[name] ?? 1]
    return cluster.command(key === undefined ? undefined : String(key), ...args)
  }
  return {
    ...first,
    url: cluster.url,
    command,
    async commandStats() {
      const total: Record<string, number> = {}
      for (const stats of await Promise.all(cluster.nodes.map((node) => node.commandStats())))
        for (const [name, calls] of Object.entries(stats)) total[name] = (total[name] ?? 0) + calls
      return total
    },
    async resetCommandStats() {
      await Promise.all(cluster.nodes.map((node) => node.resetCommandStats()))
    },
    stop: () => cluster.stop(),
    freeze: () => cluster.nodes.forEach((node) => node.freeze()),
    unfreeze: () => cluster.nodes.forEach((node) => node.unfreeze()),
  }
}

function merged(replies: readonly Reply[]): Reply {
  if (replies.every((reply) => typeof reply === 'number'))
    return replies.reduce((sum, count) => sum + count, 0)
  if (replies.every(Array.isArray)) return replies.flat()
  return replies.every((reply) => reply === replies[0]) ? (replies[0] as Reply) : replies.join('\n')
}
