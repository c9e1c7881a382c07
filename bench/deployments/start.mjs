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
import { prepareBuild } from './builds.mjs'

const { Redis } = createRequire(import.meta.url)('ioredis')

export async function startDeployment(deployment, { replicas: count, log }) {
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
    const replicas = await startReplicas(names, (name) => ({
      app,
      standalone: placeOf(name),
      env: { ORIGIN_URL: origin.url, ...deployment.env(redis.url) },
    }))
    stops.push(() => Promise.all(replicas.map((replica) => replica.stop('SIGKILL'))))
    return { deployment, replicas, origin, admin, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** All at once would fight for the machine while they start; one that does not start keeps nobody else from it. */
export async function startDeployments(deployments, options) {
  const running = []
  const failed = []
  for (const deployment of deployments) {
    options.log(`Starting ${options.replicas} replicas: ${deployment.name}`)
    try {
      running.push(await startDeployment(deployment, options))
    } catch (error) {
      const reason = error.message.split('\n')[0]
      options.log(`${deployment.name} does not start: ${error.message}`)
      failed.push({ deployment, reason })
    }
  }
  const stop = () => Promise.all(running.map((one) => one.stop()))
  return { running, failed, stop }
}
