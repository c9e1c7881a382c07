#!/usr/bin/env node
// Concurrent clients against replicas whose links to Redis break at random; every response is held against every
// acknowledged invalidation: after it nobody serves what was there before, and nothing old comes back later.
import { readArguments, USAGE } from '../test/history/arguments.mjs'
import { findFaketime } from '../test/history/clock-skew.mjs'
import { compilePackage } from '../test/history/compile.mjs'
import { runHistory } from '../test/history/run-history.mjs'
import { onInterrupt } from './lib/processes.mjs'

let remove = async () => {}
onInterrupt(() => remove())

try {
  const choice = readArguments(process.argv.slice(2))
  if (choice.help) console.log(USAGE)
  else process.exitCode = await check(choice)
} catch (error) {
  console.error(error.stack)
  process.exitCode = 2
} finally {
  await remove()
}

async function check({ skewed, verbose, ...choice }) {
  const library = skewed ? await findFaketime() : undefined
  if (skewed && library === undefined) {
    console.log(
      'skipped: libfaketime is not installed and could not be (Debian, Ubuntu: apt-get install faketime)',
    )
    return 0
  }
  const { directory: dist, remove: removeDist } = await compilePackage()
  remove = removeDist
  const { preset, driver, seed, sabotage } = choice
  console.log(
    `seed ${seed}: ${preset}, ${driver}, ${choice.replicas} replicas${skewed ? ', skewed clocks' : ''}${sabotage ? `, sabotaged: ${sabotage}` : ''}`,
  )
  const startedAt = performance.now()
  const { violations, counts, faults, telemetry } = await runHistory({
    ...choice,
    dist,
    skew: library && { library, minutes: [-10, 0, 10] },
    log: verbose
      ? (line) => console.log(`${((performance.now() - startedAt) / 1000).toFixed(1)}s ${line}`)
      : undefined,
  })
  console.log(line(counts))
  console.log(`faults: ${line(faults)}`)
  console.log(`telemetry: ${line(telemetry)}`)
  for (const violation of violations) console.log(`\n${violation}`)
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  console.log(
    violations.length === 0
      ? `no violation (${seconds} s)`
      : `\n${violations.length} violations (${seconds} s)`,
  )
  return violations.length === 0 ? 0 : 1
}

function line(counts) {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')
}
