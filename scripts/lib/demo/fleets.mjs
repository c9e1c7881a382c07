// Two fleets of the same store on the same machine: three replicas of unmodified Next.js, and three that
// share one cache. Each fleet has an origin of its own, so that what its renders cost is counted apart.
import { mkdtemp } from 'node:fs/promises'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startOrigin } from '../origin.mjs'
import { makeStandalone, prepareApp } from '../prepare-app.mjs'
import { startRedis } from '../redis.mjs'
import { startReplicas } from '../replicas.mjs'
import { startRoundRobin } from '../round-robin.mjs'

const NAMES = ['1', '2', '3']

/** Nothing runs before `start`; `stop` ends whatever runs by then, however far `start` has come. */
export function createFleets() {
  const parts = []
  const keep = (part) => {
    parts.unshift(part)
    return part
  }

  /** @param {(step: string) => void} log */
  const start = async (log) => {
    log('Building the store twice (kept for the next time): with the shared cache, and as unmodified Next.js')
    const [oursApp, stockApp] = await Promise.all([
      prepareApp({ variant: 'components' }),
      // Neither this package nor a Redis client is so much as installed.
      prepareApp({ variant: 'components', stock: true }),
    ])

    log('Starting a private Redis, two origins and six replicas')
    const directory = await mkdtemp(join(tmpdir(), 'ndc-demo-'))
    process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
    const redis = keep(await startRedis())
    // Replicas in production have a disk each. So has each stock replica here: with one directory they
    // would share their page cache by accident.
    const stock = await startFleet('stock', stockApp, {}, (name) => join(directory, `stock-${name}`), keep)
    const ours = await startFleet(
      'ours',
      oursApp,
      { REDIS_URL: redis.url },
      () => join(directory, 'ours'),
      keep,
    )
    return { redis, stock, ours }
  }

  const stop = async () => {
    for (const part of parts.splice(0)) await part.stop()
  }
  return { start, stop }
}

async function startFleet(name, app, env, directoryOf, keep) {
  const origin = keep(await startOrigin())
  for (const directory of new Set(NAMES.map(directoryOf))) await makeStandalone(app, directory)
  const replicas = await startReplicas(NAMES, (replica) => ({
    app,
    standalone: directoryOf(replica),
    env: { ORIGIN_URL: origin.url, ...env },
  }))
  replicas.forEach(keep)
  const balancer = keep(await startRoundRobin(replicas))
  return { name, origin, replicas, balancer }
}
