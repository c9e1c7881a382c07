#!/usr/bin/env node
// `npm run bench`: this package, the packages of others, stock Next.js and the physical limit at the same work, in one
// run. See bench/README.md for what is measured, and docs/performance.md for how to read it.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureDependencies } from '../scripts/install.mjs'
import { readArguments, USAGE } from './lib/arguments.mjs'
import { reasonOf } from './lib/bounded.mjs'
import { formatLoad, watchLoad } from './lib/load-watch.mjs'
import { publish, writeRowCharts, writeResult } from './lib/publish.mjs'
import { createPace } from './lib/pace.mjs'
import { EXPLANATION, compare, formatRow } from './lib/report.mjs'
import { formatVerdict, verdictOf } from './lib/verdict.mjs'

const RESULTS = fileURLToPath(new URL('results', import.meta.url))
/** Each level, loaded when it is wanted: most need what is installed only now. */
const LEVELS = {
  handler: async () => (await import('./handler/level.mjs')).runHandlerLevel,
  storage: async () => (await import('./storage/level.mjs')).runStorageLevel,
  application: async () => (await import('./application/level.mjs')).runApplicationLevel,
  fleet: async () => (await import('./fleet/level.mjs')).runFleetLevel,
  scale: async () => (await import('./scale/level.mjs')).runScaleLevel,
}
/** Replicas that the fleet level of a quick run asks for: the application level leaves them running. */
const QUICK_REPLICAS = 3
/** A quick run promises 300 s; what is under way when the time is over is finished. */
const QUICK_MS = 250_000

const startedAt = performance.now()
const seconds = () => Math.round((performance.now() - startedAt) / 1000)
const log = (text) => console.error(`[${String(seconds()).padStart(4)} s] ${text}`)

async function main() {
  const choice = readArguments(process.argv.slice(2))
  if (choice.help) {
    console.log(USAGE)
    return
  }
  if (choice.report !== undefined) {
    const result = JSON.parse(await readFile(choice.report, 'utf8'))
    const rows = result.rows.map((row) => ({ ...row, ratios: compare(row) }))
    show({ ...result, rows, verdict: verdictOf({ rows }) })
    log(`Written: ${(await publish({ ...result, rows }, choice.report)).join(', ')}`)
    return
  }
  const date = new Date().toISOString()
  const file = choice.json ?? join(RESULTS, `${date.slice(0, 16).replaceAll(':', '')}.json`)
  // After each level: a run that ends early has measured something.
  const result = await measure(choice, date, (soFar) => writeResult(file, soFar))
  show(result)
  if (choice.charts) await writeRowCharts(file.replace(/\.json$/, ''), result)
  for (const row of result.leftOut ?? []) log(`No time was left for ${row}`)
  const { seconds: tookSeconds, preparationSeconds } = result
  log(`Written: ${file}. Took ${tookSeconds} s, after ${preparationSeconds} s of installing and building.`)
}

function show({ rows, verdict }) {
  for (const row of rows) console.log(`\n${row.level}: ${formatRow(row)}`)
  console.log(`\n${EXPLANATION}\n\n${formatVerdict(verdict)}\n`)
}

async function measure(choice, date, save) {
  ensureDependencies()
  // Each server and process of a subject is cleaned up when this one ends.
  process.setMaxListeners(0)
  const { onInterrupt } = await import('../scripts/lib/processes.mjs')
  onInterrupt(() => log('Stopping.'))
  const { installPeers, peerVersions } = await import('./lib/install-peers.mjs')
  const { describeMachine } = await import('./lib/machine.mjs')
  const { compilePackage } = await import('./lib/compile.mjs')
  const { createFleets } = await import('./deployments/start.mjs')
  const { BUILD_NAMES, prepareBuild } = await import('./deployments/builds.mjs')
  await installPeers(log)
  const machine = await describeMachine()
  // Propagation and sizes are measured with the handlers.
  if (choice.levels.some((level) => level !== 'application')) await compilePackage()

  if (choice.levels.some((level) => level === 'application' || level === 'fleet'))
    for (const name of BUILD_NAMES)
      // Whoever needs it says why there is none.
      await prepareBuild(name, log).catch(() => {})
  const preparedAt = seconds()
  const pace = createPace({ limitMs: choice.quick ? QUICK_MS : Infinity, levels: choice.levels })

  const atLeast = choice.quick && choice.levels.includes('fleet') ? QUICK_REPLICAS : 1
  const fleets = createFleets({ log, atLeast })
  const rows = []
  const failures = []
  const took = {}
  const load = watchLoad()
  const resultOf = async () => ({
    date,
    mode: choice.quick ? 'quick' : 'full',
    seconds: seconds() - preparedAt,
    preparationSeconds: preparedAt,
    machine,
    levels: took,
    versions: await peerVersions(),
    ...(pace.leftOut.length > 0 && { leftOut: pace.leftOut }),
    ...(failures.length > 0 && { failures }),
    verdict: verdictOf({ rows }),
    rows,
  })
  for (const level of choice.levels) {
    log(`Level ${level}`)
    pace.begin(level)
    const beganAt = seconds()
    load.take()
    const repetitions = choice.repetitionsOf(level)
    try {
      const run = await LEVELS[level]()
      for (const row of await run({ ...choice, repetitions, wanted: choice.subjects, log, fleets, pace }))
        rows.push({ repetitions, ...row, ratios: compare(row) })
    } catch (error) {
      // What the other levels measured is worth keeping.
      log(`Level ${level} failed: ${error.stack}`)
      failures.push({ level, reason: reasonOf(error) })
      process.exitCode = 1
    }
    took[level] = { seconds: seconds() - beganAt, othersBusy: load.take() }
    log(`Level ${level} took ${took[level].seconds} s; ${formatLoad(took[level].othersBusy)}`)
    await save(await resultOf())
  }
  load.stop()
  await fleets.stop()
  return resultOf()
}

try {
  await main()
  // Load generators and drivers of others may leave handles; nothing is pending that matters.
  process.exit()
} catch (error) {
  console.error(error.stack)
  process.exit(1)
}
