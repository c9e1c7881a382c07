// What a fleet does together: crowds on pages that are cold, stale or invalidated, and how fast an invalidation is
// everywhere.
import { chosenDeployments } from '../deployments/catalogue.mjs'
import { startDeployments } from '../deployments/start.mjs'
import { interleave } from '../lib/interleave.mjs'
import { summarize } from '../lib/statistics.mjs'
import { measurePropagation } from './propagation.mjs'
import { coldCrowd, invalidatedCrowd, propagation, staleCrowd } from './scenarios.mjs'

const SCENARIOS = [
  { name: 'cold page', run: coldCrowd, figure: 'queries' },
  { name: 'stale page', run: staleCrowd, figure: 'queries' },
  { name: 'invalidated page', run: invalidatedCrowd, figure: 'queries' },
  { name: 'first new answer after an invalidation', run: propagation, figure: 'propagationMs' },
]

const FEW = ['strict', 'stock Next.js']
/** Replicas at once; `all`: with every deployment, else with a few. */
const FLEETS = {
  quick: [
    { replicas: 3, all: true },
    { replicas: 10, all: false, only: 'cold page' },
  ],
  full: [
    { replicas: 1, all: true },
    { replicas: 3, all: true },
    { replicas: 10, all: true },
  ],
}

export async function runFleetLevel(options) {
  const { quick, repetitions, only = '', wanted, log } = options
  const rows = await measurePropagation(options)
  for (const { replicas, all, only: chosen = '' } of FLEETS[quick ? 'quick' : 'full']) {
    const scenarios = SCENARIOS.filter(
      ({ name }) => name.includes(chosen) && `${name}, ${replicas} replicas`.includes(only),
    )
    if (scenarios.length === 0) continue
    const deployments = chosenDeployments({ wanted, quick }).filter(({ name }) => all || FEW.includes(name))
    const { running, failed, stop } = await startDeployments(deployments, { replicas, log })
    try {
      for (const scenario of scenarios) {
        const name = `${scenario.name}, ${replicas} replicas`
        log(name)
        const subjects = {}
        for (const { deployment, reason } of failed)
          subjects[deployment.name] = { kind: deployment.kind, failed: reason }
        for (const { deployment } of running) subjects[deployment.name] = { kind: deployment.kind }
        const able = new Set(running)
        let serial = 0
        const measured = await interleave(running, repetitions, async (one) => {
          if (!able.has(one)) return undefined
          const id = `${scenario.name.split(' ')[0]}-${replicas}-${serial++}`
          return scenario.run(one, id, { quick }).catch((error) => {
            able.delete(one)
            subjects[one.deployment.name] = {
              kind: one.deployment.kind,
              failed: error.message.split('\n')[0],
            }
          })
        })
        for (const [one, results] of measured) {
          if (!able.has(one)) continue
          const samples = results.filter(Boolean)
          const { name: subject, kind, reference } = one.deployment
          subjects[subject] = { kind, reference, samples, median: summarize(samples) }
        }
        rows.push({ level: 'fleet', name, figure: scenario.figure, subjects })
      }
    } finally {
      await stop()
    }
  }
  return rows
}
