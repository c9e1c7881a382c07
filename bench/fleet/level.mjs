// What a fleet does together: crowds on pages that are cold, stale or invalidated, and how fast an invalidation is
// everywhere.
import { chosenDeployments } from '../deployments/catalogue.mjs'
import { interleave } from '../lib/interleave.mjs'
import { summarize } from '../lib/statistics.mjs'
import { measurePropagation } from './propagation.mjs'
import { coldCrowd, invalidatedCrowd, propagation, staleCrowd } from './scenarios.mjs'

const SCENARIOS = [
  { name: 'cold page', run: coldCrowd, figure: 'queries' },
  { name: 'invalidated page', run: invalidatedCrowd, figure: 'queries' },
  { name: 'stale page', run: staleCrowd, figure: 'queries' },
  { name: 'first new answer after an invalidation', run: propagation, figure: 'propagationMs' },
]

/** Replicas of each deployment. */
const SIZES = { quick: [3], full: [1, 3, 10] }
/** From here on one deployment runs at a time: counts do not need neighbours, and 80 servers do not fit. */
const LARGE = 10

export async function runFleetLevel(options) {
  const { quick, only = '', wanted, fleets, pace } = options
  const rows = []
  const deployments = chosenDeployments({ wanted, quick })
  for (const replicas of SIZES[quick ? 'quick' : 'full']) {
    const scenarios = SCENARIOS.filter(({ name }) => `${name}, ${replicas} replicas`.includes(only))
    if (scenarios.length === 0) continue
    const own = scenarios.map((scenario) => rowOf(scenario, replicas))
    const isTaken = own.map(() => true)
    const groups = replicas < LARGE ? [deployments] : deployments.map((one) => [one])
    for (const group of groups) {
      const taken = await fleets.take(group, replicas)
      for (const [index, scenario] of scenarios.entries()) {
        if (pace.leavesOut(`fleet: ${own[index].name}`)) isTaken[index] = false
        else await measureScenario(scenario, own[index], taken, options)
      }
    }
    rows.push(...own.filter((_, index) => isTaken[index]))
  }
  await fleets.stop()
  return [...rows, ...(await measurePropagation(options))]
}

const rowOf = ({ name, figure }, replicas) => ({
  level: 'fleet',
  name: `${name}, ${replicas} replicas`,
  cell: { scenario: name, replicas },
  figure,
  subjects: {},
})

async function measureScenario(scenario, { name, cell, subjects }, { running, failed }, options) {
  const { quick, repetitions, log, pace } = options
  log(name)
  for (const { deployment, reason } of failed)
    subjects[deployment.name] = { kind: deployment.kind, failed: reason }
  let serial = 0
  const run = (one) => {
    const id = `${scenario.name.split(' ')[0]}-${cell.replicas}-${serial++}`
    return scenario.run(one, id, { quick })
  }
  const measured = await interleave(running, repetitions, run, pace)
  for (const [{ deployment }, { samples, failed: failure }] of measured) {
    const { kind, reference } = deployment
    subjects[deployment.name] =
      failure === undefined
        ? { kind, reference, samples, median: summarize(samples) }
        : { kind, reference, failed: failure }
  }
}
