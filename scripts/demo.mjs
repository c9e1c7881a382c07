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
const { createFleets } = await import('./lib/demo/fleets.mjs')

const fleets = createFleets()
const stops = [() => fleets.stop()]
const stop = async () => {
  for (const one of stops) await one()
}
onInterrupt(async () => {
  console.log('\nStopping.')
  await stop()
})

try {
  const running = await fleets.start(log)
  if (options.check) {
    const { check } = await import('./lib/demo/check.mjs')
    log('Asking every replica\n')
    process.exitCode = (await check(running)) ? 0 : 1
    await stop()
  } else {
    const { startDemoServer } = await import('./lib/demo/server.mjs')
    const server = await startDemoServer(running, { port: Number(options.port) })
    stops.unshift(() => server.stop())
    log(`Ready. Open ${server.url}  (Ctrl-C ends it)`)
  }
} catch (error) {
  await stop()
  throw error
}
