// One cell under test: a Redis, two replicas of the application, and their origin.
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createOrigin } from '../../examples/store/origin/server.mjs'
import { originClient } from '../../scripts/lib/origin.mjs'
import { makeStandalone } from '../../scripts/lib/prepare-app.mjs'
import { until } from '../../scripts/lib/processes.mjs'
import { startReplica } from '../../scripts/lib/replicas.mjs'
import { TOPOLOGIES } from './topologies.mjs'

const PROBE = fileURLToPath(new URL('heap-probe.cjs', import.meta.url))
const NAMES = ['a', 'b']

/**
 * @param {{ app: import('../../scripts/lib/prepare-app.mjs').PreparedApp, preset: string, topology?: string,
 *   keyPrefix?: string, tamper?: (standalone: string) => Promise<unknown> }} choice
 */
export async function openArena({ app, preset, topology = 'single', keyPrefix = 'ndc:store', tamper }) {
  const stops = []
  const stop = async () => {
    for (const one of stops.splice(0).reverse()) await one()
  }
  try {
    const directory = await mkdtemp(join(tmpdir(), 'ndc-faults-'))
    stops.push(() => rm(directory, { recursive: true, force: true }))
    const standalone = await makeStandalone(app, join(directory, 'app'))
    await tamper?.(standalone)
    const origin = await startSteadyOrigin()
    stops.push(() => origin.stop())
    const place = await TOPOLOGIES[topology].open(NAMES.length)
    stops.push(() => place.stop())
    const replicas = []
    stops.push(() => Promise.all(replicas.map((replica) => replica.kill())))

    const start = (name, env) =>
      startServer({ name, app, standalone, env: { ORIGIN_URL: origin.url, ...env } })
    async function startReplicas() {
      const started = NAMES.map((name, index) =>
        start(name, { ...place.env(index), DISTRIBUTED_CACHE_PRESET: preset }),
      )
      replicas.push(...(await allOrNone(started)))
      for (const replica of replicas) await expectToServe(replica, `on: ${preset} preset, ${app.driver} to `)
    }
    await startReplicas()

    return {
      ...place,
      replicas,
      origin,
      keyPrefix,
      renders: async () => (await origin.counts()).total,
      /** Stops both; `startReplicas` has to follow. */
      stopReplicas: () => Promise.all(replicas.splice(0).map((replica) => replica.kill())),
      startReplicas,
      /** The same build with the cache turned off: what the same request takes without this package. */
      async startStock() {
        const stock = await start('stock', { DISTRIBUTED_CACHE: 'off' })
        stops.push(() => stock.kill())
        return stock
      },
      output: () =>
        replicas.map((replica) => `--- ${replica.name}\n${replica.output().slice(-4_000)}`).join('\n'),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Keeps idle connections: one that it closes while a replica writes to it would fail a request that no fault touched. */
async function startSteadyOrigin() {
  const server = createServer({ keepAliveTimeout: 3_600_000 }, createOrigin())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${server.address().port}`
  return {
    url,
    ...originClient(url),
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function startServer({ env, ...options }) {
  let probeUrl
  const server = await startReplica({
    ...options,
    env: { ...env, NODE_OPTIONS: `--require=${JSON.stringify(PROBE)}` },
    onLine: (line) => (probeUrl ??= /heap probe on (\S+)/.exec(line)?.[1]),
  })
  await until(() => probeUrl, { what: `the probe of ${options.name}` })
  return { ...server, probe: probeUrl }
}

/** Without a driver, or with another one, the application would work as well: the table would be of something else. */
async function expectToServe({ name, output }, what) {
  const said = () => /\[next-distributed-cache\] (?:on|off): .*/.exec(output())?.[0]
  await until(said, { what: `${name} to say what serves` })
  if (!said().includes(what)) throw new Error(`${name} should say "${what}", and says ${said()}`)
}

async function allOrNone(starting) {
  const results = await Promise.allSettled(starting)
  const started = results.flatMap(({ value }) => (value === undefined ? [] : [value]))
  const failed = results.find(({ status }) => status === 'rejected')
  if (failed === undefined) return started
  await Promise.all(started.map((server) => server.kill()))
  throw failed.reason
}
