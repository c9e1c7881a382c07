#!/usr/bin/env node
// `npm run test:faults`: a built application on two replicas, under load, while its Redis vanishes, hangs, lies and
// refuses. What has to hold throughout: every request is answered, everything stays bounded, service comes back by
// itself, and no invalidation is lost.
import { writeFile } from 'node:fs/promises'
import { measureAddedLatency, describeAddedLatency } from '../test/faults/added-latency.mjs'
import { readArguments, USAGE } from '../test/faults/arguments.mjs'
import { openCell } from '../test/faults/cell.mjs'
import { describeRefusal, measureRefusal } from '../test/faults/refusal.mjs'
import { tamperWith } from '../test/faults/sabotages.mjs'
import { describeShards, measureShards } from '../test/faults/shards.mjs'
import { describeTrend, soak } from '../test/faults/soak.mjs'
import { describeRows, LEGEND } from '../test/faults/table.mjs'
import { prepareApp } from './lib/prepare-app.mjs'
import { onInterrupt } from './lib/processes.mjs'

let close = async () => {}
onInterrupt(() => close())

try {
  const choice = readArguments(process.argv.slice(2))
  if (choice.help) console.log(USAGE)
  else process.exitCode = await check(choice)
} catch (error) {
  console.error(error.stack)
  process.exitCode = 2
} finally {
  await close()
}

async function check(choice) {
  const startedAt = performance.now()
  const cells = []
  for (const { faults, ...cell } of choice.cells) {
    const name = [cell.topology, cell.preset, cell.driver].join(', ')
    console.log(`\n${name}${choice.sabotage ? `, sabotaged: ${choice.sabotage}` : ''}`)
    cells.push({ name, ...cell, ...(await runCell(cell, faults, choice)) })
    await close()
    // After every cell, so that an interrupted run leaves what it knows.
    if (choice.json) await writeFile(choice.json, JSON.stringify(cells, null, 1))
  }
  const problems = cells.flatMap(({ name, problems: own }) => own.map((problem) => `${name}: ${problem}`))
  console.log('')
  for (const problem of problems) console.log(problem)
  const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1)
  console.log(`${problems.length} problems in ${cells.length} cells (${minutes} min)`)
  return problems.length === 0 ? 0 : 1
}

async function runCell({ topology, preset, driver }, faults, choice) {
  const { pace, seed, soakMs, latency, extras, sabotage } = choice
  const app = await prepareApp({ driver })
  const cell = await openCell({ app, preset, topology, seed, pace, tamper: tamperWith(sabotage) })
  close = async () => {
    close = async () => {}
    await cell.close()
  }
  if (soakMs !== undefined) {
    const { rows, trend } = await soak(cell, { faults, ms: soakMs, log: console.log })
    console.log(`\n${describeRows(rows)}\n${LEGEND}\n\n${describeTrend(trend)}`)
    const problems = problemsOf(rows)
    if (!trend.isFlat) problems.push('heap or sockets grow')
    return { rows, trend, problems }
  }
  const rows = []
  for (const fault of faults) {
    const row = await cell.run(fault)
    rows.push(row)
    console.log(`  ${row.what}: ${row.problems.length === 0 ? 'passed' : row.problems.join('; ')}`)
  }
  console.log(`\n${describeRows(rows)}\n${LEGEND}`)
  const problems = problemsOf(rows)
  if (topology === 'cluster' && extras) {
    const shards = await measureShards(cell, pace.requestMs)
    console.log(
      `\n${describeShards(shards.rows)}\nCommands, CPU and bytes: per request of the load, all included.`,
    )
    return { rows, shards, problems: [...problems, ...shards.problems] }
  }
  // One server stands for all: what is measured is a Redis that is known to be away.
  if (topology !== 'single' || !latency) return { rows, problems }
  const added = await measureAddedLatency(cell, pace.requestMs)
  console.log(`\n${describeAddedLatency(added)}\nMedians, ms; added: the median of the differences of pairs.`)
  const refusal = await measureRefusal(driver, preset)
  console.log(`\n${describeRefusal(refusal)}\nIn one process, without Next, once Redis is known to be away.`)
  return { rows, added, refusal, problems }
}

function problemsOf(rows) {
  return rows.flatMap(({ what, problems }) => problems.map((problem) => `${what}: ${problem}`))
}
