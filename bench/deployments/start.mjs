// A deployment: replicas from one standalone build, with a Redis and an origin of their own.
import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startOrigin } from '../../scripts/lib/origin.mjs'
import { makeStandalone } from '../../scripts/lib/prepare-app.mjs'
import { startRedis } from '../../scripts/lib/redis.mjs'
import { startReplicas } from '../../scripts/lib/replicas.mjs'
import { bounded, reasonOf } from '../lib/bounded.mjs'
import { prepareBuild } from './builds.mjs'

const { Redis } = createRequire(import.meta.url)('ioredis')

const AT_ONCE = 3

async function startDeployment(deployment, { replicas: count, log }) {
  const app = await prepareBuild(deployment.build, log)
  const stops = []
  const stop = async () => {
    for (const one of stops.splice(0).reverse()) await one()
  }
  try {
    const directory = await mkdtemp(join(tmpdir(), 'ndc-bench-'))
    stops.push(() => rm(directory, { recursive: true, force: true }))
    process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
    const redis = await startRedis({ args: deployment.redis ?? [] })
    stops.push(() => redis.stop('SIGKILL'))
    const admin = new Redis(redis.url)
    stops.push(() => admin.disconnect())
    const origin = await startOrigin()
    stops.push(() => origin.stop())
    const names = Array.from({ length: count }, (_, index) => String(index + 1))
    const placeOf = (name) => join(directory, deployment.ownDisk ? name : 'all')
    for (const place of new Set(names.map(placeOf))) await makeStandalone(app, place)
    const replicas = []
    stops.push(() => Promise.all(replicas.map((replica) => replica.stop('SIGKILL'))))
    // In small groups: ten that boot at once on two cores would wait for each other past every limit.
    for (let first = 0; first < count; first += AT_ONCE) {
      const group = names.slice(first, first + AT_ONCE)
      replicas.push(
        ...(await startReplicas(group, (name) => ({
          app,
          standalone: placeOf(name),
          env: { ORIGIN_URL: origin.url, ...deployment.env(redis.url) },
        }))),
      )
    }
    return { deployment, replicas, origin, admin, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** A server that starts takes seconds. */
const START_MS = 180_000

/** All at once would fight for the machine while they start; one that does not start keeps nobody else from it. */
async function startDeployments(deployments, options) {
  const running = []
  const failed = []
  for (const deployment of deployments) {
    options.log(`Starting ${options.replicas} replicas: ${deployment.name}`)
    const starting = startDeployment(deployment, options)
    try {
      running.push(await bounded(starting, START_MS, 'starting'))
    } catch (error) {
      options.log(`${deployment.name} does not start: ${error.message}`)
      failed.push({ deployment, reason: reasonOf(error) })
      // It may be there after all when nobody waits for it any more.
      void starting.then(({ stop }) => stop()).catch(() => {})
    }
  }
  return { running, failed }
}

/**
 * Deployments for all levels: whoever asks next gets those that run, if they are the same and enough.
 *
 * @param {{ log: (text: string) => void, atLeast?: number }} options `atLeast`: replicas that somebody will ask for
 */
export function createFleets({ log, atLeast = 1 }) {
  let current
  const stop = async () => {
    const { running = [] } = current ?? {}
    current = undefined
    await Promise.all(running.map((one) => one.stop()))
  }
  return {
    /** @returns at least so many replicas of each */
    async take(deployments, count) {
      const names = deployments.map(({ name }) => name).join('; ')
      const replicas = Math.max(count, atLeast)
      if (current?.names !== names || current.replicas !== replicas) {
        await stop()
        current = { names, replicas, ...(await startDeployments(deployments, { replicas, log })) }
      }
      return current
    },
    stop,
  }
}
