#!/usr/bin/env node
// `npm run bench`: this package, the packages of others, stock Next.js and the physical limit at the same work, in one
// run. See bench/README.md for what is measured, and docs/performance.md for how to read it.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureDependencies } from '../scripts/install.mjs'
import { readArguments, USAGE } from './lib/arguments.mjs'
import { reasonOf } from './lib/bounded.mjs'
import { publish, writeRowCharts, writeResult } from './lib/publish.mjs'
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
  const result = await measure(choice)
  show(result)
  const file = choice.json ?? join(RESULTS, `${result.date.slice(0, 16).replaceAll(':', '')}.json`)
  await writeResult(file, result)
  if (choice.charts) await writeRowCharts(file.replace(/\.json$/, ''), result)
  log(`Written: ${file}. Took ${seconds()} s.`)
}

function show({ rows, verdict }) {
  for (const row of rows) console.log(`\n${row.level}: ${formatRow(row)}`)
  console.log(`\n${EXPLANATION}\n\n${formatVerdict(verdict)}\n`)
}

async function measure(choice) {
  ensureDependencies()
  // Each server and process of a subject is cleaned up when this one ends.
  process.setMaxListeners(0)
  const { onInterrupt } = await import('../scripts/lib/processes.mjs')
  onInterrupt(() => log('Stopping.'))
  const { installPeers, peerVersions } = await import('./lib/install-peers.mjs')
  const { describeMachine } = await import('./lib/machine.mjs')
  const { compilePackage } = await import('./lib/compile.mjs')
  const { createFleets } = await import('./deployments/start.mjs')
  await installPeers(log)
  const machine = await describeMachine()
  const date = new Date().toISOString()
  // Propagation and sizes are measured with the handlers.
  if (choice.levels.some((level) => level !== 'application')) await compilePackage()

  const atLeast = choice.quick && choice.levels.includes('fleet') ? QUICK_REPLICAS : 1
  const fleets = createFleets({ log, atLeast })
  const rows = []
  const failures = []
  for (const level of choice.levels) {
    log(`Level ${level}`)
    const repetitions = choice.repetitionsOf(level)
    try {
      const run = await LEVELS[level]()
      for (const row of await run({ ...choice, repetitions, wanted: choice.subjects, log, fleets }))
        rows.push({ ...row, repetitions, ratios: compare(row) })
    } catch (error) {
      // What the other levels measured is worth keeping.
      log(`Level ${level} failed: ${error.stack}`)
      failures.push({ level, reason: reasonOf(error) })
      process.exitCode = 1
    }
  }
  await fleets.stop()
  return {
    date,
    mode: choice.quick ? 'quick' : 'full',
    minutes: Number((seconds() / 60).toFixed(1)),
    machine,
    versions: await peerVersions(),
    ...(failures.length > 0 && { failures }),
    verdict: verdictOf({ rows }),
    rows,
  }
}

try {
  await main()
  // Load generators and drivers of others may leave handles; nothing is pending that matters.
  process.exit()
} catch (error) {
  console.error(error.stack)
  process.exit(1)
}
