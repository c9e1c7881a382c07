// What a read costs inside of the process while Redis is known to be away; microseconds.
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { freePort } from '../../scripts/lib/processes.mjs'
import { compilePackage, ROOT } from '../history/compile.mjs'
import { optionsOf } from '../history/fleet.mjs'
import { aligned, quantile } from './table.mjs'

const READS = 5_000
/** A read that takes no longer than this was refused, not tried. */
const REFUSED_MS = 5
/** So many of them in a row: it is known. */
const IN_A_ROW = 50
const LIMIT_MS = 20_000

/** @param {string} driver @param {string} preset */
export async function measureRefusal(driver, preset) {
  const { directory, remove } = await compilePackage()
  // The compiled package lies elsewhere and looks for drivers and Next here.
  process.env.NODE_PATH = `${ROOT}/node_modules`
  createRequire(import.meta.url)('node:module').Module._initPaths()
  const sockets = new Set()
  const silent = createServer((socket) => void sockets.add(socket.on('error', () => {}).resume()))
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  try {
    return [
      ...(await measure({ directory, driver, preset, situation: 'refused', port: await freePort() })),
      ...(await measure({ directory, driver, preset, situation: 'hung', port: silent.address().port })),
    ]
  } finally {
    for (const socket of sockets) socket.destroy()
    silent.close()
    await remove()
  }
}

async function measure({ directory, driver, preset, situation, port }) {
  const require = createRequire(`${directory}/`)
  const { createRuntime } = require('./runtime/create-runtime.js')
  const file = driver === 'ioredis' ? 'ioredis' : 'node-redis'
  const { createClient } = require(`./runtime/clients/${file}.js`)
  const runtime = createRuntime({
    options: optionsOf(directory, { driver, preset }),
    backend: 'redis',
    url: `redis://127.0.0.1:${port}`,
    namespace: 'build-1',
    debug: false,
    createClient,
  })
  const handler = new runtime.CacheHandler({ _requestHeaders: {}, revalidatedTags: [] })
  const reads = {
    'cacheHandler.get': (key) =>
      handler.get(key, { kind: 'APP_PAGE', isRoutePPREnabled: false, isFallback: false }),
    'cacheHandlers.get': (key) => runtime.useCacheHandlers.default.get(key, []),
  }
  const rows = []
  try {
    for (const [what, read] of Object.entries(reads)) {
      const isKnown = await untilRefused(read)
      const micros = []
      for (let index = 0; isKnown && index < READS; index++)
        micros.push(1000 * (await timed(read, `key-${index % 100}`)))
      rows.push({ situation, what, medianMicros: quantile(micros, 0.5), p99Micros: quantile(micros, 0.99) })
    }
  } finally {
    await runtime.close()
  }
  return rows
}

async function timed(read, key) {
  const startedAt = performance.now()
  await read(key)
  return performance.now() - startedAt
}

/** False: after a long time a read still waits for somebody. */
async function untilRefused(read) {
  const deadline = performance.now() + LIMIT_MS
  for (let quick = 0; quick < IN_A_ROW;) {
    if (performance.now() > deadline) return false
    quick = (await timed(read, 'warm-up')) < REFUSED_MS ? quick + 1 : 0
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  return true
}

export function describeRefusal(rows) {
  const micros = (value) => (value === undefined ? 'never refused' : value.toFixed(1))
  return aligned([
    ['Redis', 'a read', 'median \u00b5s', 'p99 \u00b5s'],
    ...rows.map(({ situation, what, medianMicros, p99Micros }) => [
      situation,
      what,
      micros(medianMicros),
      micros(p99Micros),
    ]),
  ])
}
