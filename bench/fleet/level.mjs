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
  { name: 'first new answer after an invalidation', run: propagation, figure: 'propagationMs', isWalk: true },
]

/** Replicas of each deployment. */
const SIZES = [1, 3, 10]
/** From here on one deployment runs at a time: counts do not need neighbours, and 80 servers do not fit. */
const LARGE = 10

/**
 * What is measured, in this order. A quick run has three replicas of everybody, and of ours the crowds that the goals name on ten.
 *
 * @param {{ quick: boolean, only?: string }} choice
 */
export function fleetSizes({ quick, only = '' }) {
  return SIZES.flatMap((replicas) => {
    if (quick && replicas === 1) return []
    const onlyOurs = quick && replicas >= LARGE
    const scenarios = SCENARIOS.filter(({ name, isWalk }) => {
      // Where there is one replica, nobody else has to hear of anything.
      if (isWalk && (replicas === 1 || onlyOurs)) return false
      return `${name}, ${replicas} replicas`.includes(only)
    })
    return scenarios.length === 0 ? [] : [{ replicas, scenarios, onlyOurs }]
  })
}

export async function runFleetLevel(options) {
  const { quick, wanted, fleets, pace } = options
  const rows = []
  for (const { replicas, scenarios, onlyOurs } of fleetSizes(options)) {
    const deployments = chosenDeployments({ wanted, quick }).filter(
      ({ kind }) => !onlyOurs || kind === 'ours',
    )
    const isLarge = replicas >= LARGE
    const hasTime = ({ row }) => !pace.leavesOut(`fleet: ${row.name}`)
    const parts = scenarios.map((scenario) => ({ scenario, row: rowOf(scenario, replicas) }))
    // Large fleets are decided about before they start, which is what takes long.
    const wantedParts = isLarge ? parts.filter(hasTime) : parts
    if (wantedParts.length === 0) continue
    const groups = isLarge ? deployments.map((one) => [one]) : [deployments]
    const measured = new Set()
    for (const group of groups) {
      const running = await fleets.take(group, replicas)
      for (const part of wantedParts) {
        if (!isLarge && !hasTime(part)) continue
        await measureScenario(part.scenario, part.row, running, options)
        measured.add(part.row)
      }
    }
    rows.push(...measured)
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
