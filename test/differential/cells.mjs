// One cell of the matrix: its builds, its servers, its seeds.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { prepareApp } from '../../scripts/lib/prepare-app.mjs'
import { startRedis } from '../../scripts/lib/redis.mjs'
import { sabotage } from './sabotage.mjs'
import { createSide } from './sides.mjs'

/** Both sides of a cell, deployed. `stop` leaves nothing behind. */
export async function openCell({ variant, bundler, driver, preset }, { replicas, sabotageName, log }) {
  log(`building ${variant} with ${bundler}: stock, and ours with ${driver}`)
  const stockApp = await prepareApp({ variant, bundler, stock: true })
  const oursApp = await prepareApp({ variant, bundler, driver, options: { images: true } })
  const directory = await mkdtemp(join(tmpdir(), 'ndc-differential-'))
  const stops = [() => rm(directory, { recursive: true, force: true })]
  const stop = async () => {
    for (const one of stops.splice(0).reverse()) await one()
  }
  try {
    const redis = await startRedis()
    stops.push(() => redis.stop())
    const client = new Redis(redis.url)
    stops.push(() => client.disconnect())
    const stock = await createSide({ name: 'stock', app: stockApp, directory, servers: ['stock'] })
    stops.push(() => stock.stop())
    const ours = await createSide({
      name: 'ours',
      app: oursApp,
      directory,
      servers: Array.from({ length: replicas }, (_, index) => String.fromCharCode('a'.charCodeAt(0) + index)),
      env: { REDIS_URL: redis.url, DISTRIBUTED_CACHE_PRESET: preset },
      barrier: () => client.ping(),
      forget: (redisHolds) => prepareRedis(client, redisHolds),
      tamper: sabotageName && ((standalone) => sabotage(sabotageName, standalone)),
    })
    stops.push(() => ours.stop())
    const sides = { stock, ours }
    const deploy = async (redisHolds) => {
      await stock.deploy()
      await ours.deploy(redisHolds)
    }
    return { sides, deploy, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/**
 * What a new deployment finds. `history`: the state of an application that has run for a week and invalidated
 * nothing of late, so that it covers the build. `nothing`: an empty Redis.
 */
async function prepareRedis(client, redisHolds) {
  await client.flushall()
  if (redisHolds === 'nothing') return
  const [seconds] = await client.time()
  const micros = (ago) => String((Number(seconds) - ago) * 1_000_000)
  const weekAgo = micros(7 * 24 * 3600)
  const state = { clock: weekAgo, floor: weekAgo, incarnation: 'before', alive: micros(0) }
  await client.hset('ndc:store:tags', state)
  await client.expire('ndc:store:tags', 3600)
}
