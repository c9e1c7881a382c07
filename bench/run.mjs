#!/usr/bin/env node
// `npm run bench`: this package, the packages of others, stock Next.js and the physical limit at the same work, in one
// run. See bench/README.md for what is measured, and docs/performance.md for how to read it.
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureDependencies } from '../scripts/install.mjs'
import { readArguments, USAGE } from './lib/arguments.mjs'
import { chartOfRow } from './lib/chart.mjs'
import { EXPLANATION, compare, formatRow } from './lib/report.mjs'

const RESULTS = fileURLToPath(new URL('results', import.meta.url))
const UNITS = {
  opsPerSecond: 'per second',
  ttfbMs: 'ms to first byte',
  propagationMs: 'ms',
  p50Ms: 'ms',
  bootCpuMs: 'ms CPU',
  renders: 'renders',
}
/** Each level, loaded when it is wanted: most need what is installed only now. */
const LEVELS = {
  handler: async () => (await import('./handler/level.mjs')).runHandlerLevel,
  application: async () => (await import('./application/level.mjs')).runApplicationLevel,
  fleet: async () => (await import('./fleet/level.mjs')).runFleetLevel,
  scale: async () => (await import('./scale/level.mjs')).runScaleLevel,
}

const startedAt = performance.now()
const log = (text) =>
  console.error(`[${String(Math.round((performance.now() - startedAt) / 1000)).padStart(4)} s] ${text}`)

async function main() {
  const choice = readArguments(process.argv.slice(2))
  if (choice.help) {
    console.log(USAGE)
    return
  }
  ensureDependencies()
  // Each server and process of a subject is cleaned up when this one ends.
  process.setMaxListeners(0)
  const { onInterrupt } = await import('../scripts/lib/processes.mjs')
  onInterrupt(() => log('Stopping.'))
  const { installPeers, peerVersions } = await import('./lib/install-peers.mjs')
  const { describeMachine } = await import('./lib/machine.mjs')
  const { compilePackage } = await import('./lib/compile.mjs')
  await installPeers(log)
  const machine = await describeMachine()
  const needsHandlers = choice.levels.some((level) => level === 'handler' || level === 'scale')
  if (needsHandlers) await compilePackage()

  const rows = []
  for (const level of choice.levels) {
    log(`Level ${level}`)
    const run = await LEVELS[level]()
    const repetitions = choice.repetitionsOf(level)
    for (const row of await run({ ...choice, repetitions, wanted: choice.subjects, log }))
      rows.push({ ...row, repetitions, ratios: compare(row) })
  }
  for (const row of rows) console.log(`\n${row.level}: ${formatRow(row)}`)
  console.log(`\n${EXPLANATION}`)

  const file =
    choice.json ?? join(RESULTS, `${new Date().toISOString().slice(0, 16).replaceAll(':', '')}.json`)
  const result = {
    date: new Date().toISOString(),
    mode: choice.quick ? 'quick' : 'full',
    minutes: Number(((performance.now() - startedAt) / 60_000).toFixed(1)),
    machine,
    versions: await peerVersions(),
    rows,
  }
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${JSON.stringify(result, null, 1)}\n`)
  if (choice.charts) await writeCharts(file.replace(/\.json$/, ''), result)
  log(`Written: ${file}`)
}

async function writeCharts(folder, { rows, machine }) {
  await mkdir(folder, { recursive: true })
  for (const row of rows) {
    const svg = chartOfRow(row, machine, UNITS)
    const name = `${row.level} ${row.name}`.toLowerCase().replace(/[^a-z0-9]+/g, '-')
    if (svg !== undefined) await writeFile(join(folder, `${name}.svg`), svg)
  }
}

try {
  await main()
  // Load generators and drivers of others may leave handles; nothing is pending that matters.
  process.exit(0)
} catch (error) {
  console.error(error.stack)
  process.exit(1)
}
