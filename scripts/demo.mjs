// `npm run demo`: the same store as a fleet of unmodified Next.js and as a fleet with the shared cache, side by side.
//
//   npm run demo                    prints a URL; Ctrl-C ends and cleans up
//   npm run demo -- --check         nobody watching: publishes, invalidates, asks every replica, prints a table
//   npm run demo -- --port 4000     a port of your choice for the page
//
// Needs Node.js and nothing else: dependencies and Redis are installed when they are missing.
import { ensureDependencies } from './install.mjs'
import { parseArgs } from 'node:util'

const { values: options } = parseArgs({
  options: { check: { type: 'boolean', default: false }, port: { type: 'string', default: '0' } },
})
const startedAt = performance.now()
const log = (step) =>
  console.log(`[${String(Math.round((performance.now() - startedAt) / 1000)).padStart(3)} s] ${step}`)

ensureDependencies()

const { onInterrupt } = await import('./lib/processes.mjs')
const { startFleets } = await import('./lib/demo/fleets.mjs')

let demo
let fleets
onInterrupt(async () => {
  console.log('\nStopping.')
  await demo?.stop()
  await fleets?.stop()
})

fleets = await startFleets(log)
if (options.check) {
  const { check } = await import('./lib/demo/check.mjs')
  log('Asking every replica\n')
  try {
    process.exitCode = (await check(fleets)) ? 0 : 1
  } finally {
    await fleets.stop()
  }
} else {
  const { startDemoServer } = await import('./lib/demo/server.mjs')
  demo = await startDemoServer(fleets, { port: Number(options.port) })
  log(`Ready. Open ${demo.url}  (Ctrl-C ends it)`)
}
