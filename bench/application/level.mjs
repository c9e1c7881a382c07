// Whole applications under load: two replicas of the standalone store, a real load generator.
import { chosenDeployments } from '../deployments/catalogue.mjs'
import { connections } from '../handler/redis-facts.mjs'
import { interleave } from '../lib/interleave.mjs'
import { summarize } from '../lib/statistics.mjs'
import { coldPage } from './cold-page.mjs'
import { PAGES } from './pages.mjs'
import { warmPage } from './warm-page.mjs'

const REPLICAS = 2
const LIMIT_MS = 240_000

export async function runApplicationLevel({ quick, repetitions, only = '', wanted, log, fleets, pace }) {
  const pages = PAGES.filter(({ name }) => name.includes(only))
  if (pages.length === 0) return []
  const { running, failed } = await fleets.take(chosenDeployments({ wanted, quick }), REPLICAS)
  const pairs = running.map((one) => ({
    ...one,
    fleetSize: one.replicas.length,
    replicas: one.replicas.slice(0, REPLICAS),
  }))
  const rows = []
  for (const page of pages) {
    if (pace.leavesOut(`application: ${page.name}`)) continue
    log(page.name)
    rows.push(await measurePage(page, pairs, failed, { quick, repetitions, pace }))
  }
  return rows
}

async function measurePage(page, running, failed, { quick, repetitions, pace }) {
  const subjects = {}
  for (const { deployment, reason } of failed)
    subjects[deployment.name] = { kind: deployment.kind, failed: reason }
  for (const { deployment } of running)
    subjects[deployment.name] = { kind: deployment.kind, reference: deployment.reference }
  const method = page.figure === 'ttfbMs' ? coldPage(page, quick) : warmPage(page, quick)
  const { turns } = method
  const warmed = await interleave(running, method.warmUpTurns, method.warmUp, { limitMs: LIMIT_MS })
  const able = running.filter((one) => warmed.get(one).failed === undefined)
  const measured = await interleave(able, repetitions * turns, method.turn, pace)
  for (const one of running) {
    const entry = subjects[one.deployment.name]
    const { samples, failed: failure } = measured.get(one) ?? warmed.get(one)
    if (failure !== undefined) {
      entry.failed = failure
      continue
    }
    entry.samples = inGroups(samples, turns).map(method.join)
    entry.median = await medianOf(one, entry.samples)
  }
  return {
    level: 'application',
    name: page.name,
    cell: { page: page.name },
    figure: page.figure,
    subjects,
  }
}

/** Without the last group, if the run ended within it. */
function inGroups(samples, size) {
  const groups = []
  for (let at = 0; at < samples.length; at += size) groups.push(samples.slice(at, at + size))
  return groups.filter((group, index) => index === 0 || group.length === size)
}

async function medianOf({ admin, fleetSize, deployment }, samples) {
  if (deployment.kind === 'stock') return summarize(samples)
  return { ...summarize(samples), connections: (await connections(admin)) / fleetSize }
}
