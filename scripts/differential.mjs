#!/usr/bin/env node
// `npm run test:differential`: one stock Next.js process against N replicas with this package, the same
// requests and invalidations on both, everything that a visitor could tell apart compared.
import { readArguments, USAGE } from '../test/differential/arguments.mjs'
import { runDifferential } from '../test/differential/differential.mjs'
import { onInterrupt } from './lib/processes.mjs'

let stop = async () => {}
onInterrupt(() => stop())

try {
  const choice = readArguments(process.argv.slice(2))
  if (choice.help) console.log(USAGE)
  else process.exitCode = await compare(choice)
} catch (error) {
  console.error(error.stack)
  process.exitCode = 2
}

async function compare(choice) {
  const startedAt = performance.now()
  const result = await runDifferential(choice, console.log, (stopCell) => (stop = stopCell))
  if (result.used.size > 0)
    console.log(`deviations seen: ${[...result.used].map(([id, count]) => `${id} (${count})`).join(', ')}`)
  if (result.unused.length > 0)
    console.log(`rules of docs/deviations.md that nothing needed: ${result.unused.join(', ')}`)
  for (const [kind, count] of result.kinds) console.log(`undocumented, ${count} times: ${kind}`)
  const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1)
  console.log(
    `${result.divergences} undocumented divergences in ${result.sequences} sequences, ${result.steps} steps (${minutes} min)`,
  )
  return result.divergences > 0 ? 1 : 0
}
