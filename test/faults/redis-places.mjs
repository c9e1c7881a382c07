// Where the Redis of an arena is. Each knows how its replicas are told, and which ports they may talk to.
import { freePort } from '../../scripts/lib/processes.mjs'
import { startLinkProxy } from '../history/link-proxy.mjs'
import { PASSWORD, startFaultyRedis, USER } from './faulty-redis.mjs'
import { MASTER, startCluster, startSentinels } from './support.mjs'

/** One server, and a proxy before it for each replica. */
export async function openSingle(count) {
  const proxies = []
  let redisPort
  const redis = await startFaultyRedis({
    onMoved(port) {
      redisPort = port
      for (const proxy of proxies) proxy.retarget(port)
    },
  })
  const stop = async () => {
    for (const proxy of proxies) await proxy.close()
    await redis.stop()
  }
  try {
    while (proxies.length < count) proxies.push(await startProxy(redisPort))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    redis,
    proxies,
    env: (index) => ({ REDIS_URL: proxies[index].url.replace('//', `//${USER}:${PASSWORD}@`) }),
    portsOf: (index) => [proxies[index].port],
    /** As the other side sees it, where the kernel does not let itself be asked. */
    openOf: (index) => proxies[index].open,
    shards: 1,
    stop,
  }
}

/** On a port that the kernel hands out to nobody while the proxy refuses. */
async function startProxy(redisPort) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startLinkProxy(redisPort, { port: await freePort() })
    } catch (error) {
      if (error.code !== 'EADDRINUSE' || attempt === 5) throw error
    }
  }
}

/** Three primaries with a replica each. Sooner than by default a node counts as dead. */
export async function openCluster() {
  const cluster = await startCluster({ replicas: 1, nodeTimeoutMs: 2_000 })
  return {
    cluster,
    env: () => ({ REDIS_URL: cluster.url, DISTRIBUTED_CACHE_TOPOLOGY: 'cluster' }),
    portsOf: () => cluster.nodes.map(({ port }) => port),
    shards: 3,
    stop: () => cluster.stop(),
  }
}

/** A primary with two replicas, and three sentinels. */
export async function openSentinel() {
  const sentinels = await startSentinels()
  const watchers = sentinels.url.split(',').map((url) => Number(new URL(url).port))
  return {
    sentinels,
    env: () => ({
      REDIS_URL: sentinels.url.replace(/(,|$)/, `?master=${MASTER}$1`),
      DISTRIBUTED_CACHE_TOPOLOGY: 'sentinel',
    }),
    portsOf: () => [...watchers, ...sentinels.servers.map(({ port }) => port)],
    shards: 1,
    stop: () => sentinels.stop(),
  }
}
