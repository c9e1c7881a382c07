// Whole applications under load: two replicas of the standalone store, a real load generator.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { chosenDeployments } from '../deployments/catalogue.mjs'
import { cpuMsOf, residentMiBOf } from '../deployments/process-facts.mjs'
import { assertAnswered, visit } from '../deployments/visit.mjs'
import { connections } from '../handler/redis-facts.mjs'
import { bounded, reasonOf } from '../lib/bounded.mjs'
import { interleave } from '../lib/interleave.mjs'
import { PEERS } from '../lib/install-peers.mjs'
import { median, quantile, summarize } from '../lib/statistics.mjs'
import { PAGES } from './pages.mjs'

const autocannon = createRequire(join(PEERS, 'package.json'))('autocannon')

const REPLICAS = 2
const CONNECTIONS_PER_REPLICA = 16
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
  const isCold = page.figure === 'ttfbMs'
  const measure = isCold ? measureCold(page, quick ? 5 : 20) : measureWarm(page, quick ? 1 : 5)
  const prepare = (one) =>
    isCold ? measure(one) : warmUp(one, page, quick ? { duration: 1 } : { amount: 1_000 })
  const able = []
  for (const one of running) {
    const { name, kind, reference } = one.deployment
    subjects[name] = { kind, reference }
    try {
      await bounded(prepare(one), LIMIT_MS, 'warming up')
      able.push(one)
    } catch (error) {
      subjects[name].failed = reasonOf(error)
    }
  }
  for (const [one, { samples, failed: failure }] of await interleave(able, repetitions, measure, pace)) {
    const entry = subjects[one.deployment.name]
    if (failure !== undefined) entry.failed = failure
    else Object.assign(entry, { samples, median: await medianOf(one, samples) })
  }
  return {
    level: 'application',
    name: page.name,
    cell: { page: page.name },
    figure: page.figure,
    subjects,
  }
}

/** Every replica has the page, and its compiler has seen the code as often as everybody's. */
async function warmUp(one, page, size) {
  for (let round = 0; round < 3; round++) await visitAll(one, page)
  await Promise.all(
    one.replicas.map(({ url }) =>
      autocannon({ url: url + page.path, connections: CONNECTIONS_PER_REPLICA, ...size }),
    ),
  )
}

async function visitAll({ replicas }, { path, reader }) {
  const visits = await Promise.all(replicas.map(({ url }) => visit(url + path, reader)))
  assertAnswered(visits)
  return visits
}

async function medianOf({ admin, fleetSize, deployment }, samples) {
  if (deployment.kind === 'stock') return summarize(samples)
  return { ...summarize(samples), connections: (await connections(admin)) / fleetSize }
}

function measureWarm(page, seconds) {
  return async (one) => {
    const pids = one.replicas.map(({ pid }) => pid)
    const cpuBefore = await cpuMsOf(pids)
    const results = await Promise.all(
      one.replicas.map(({ url }) =>
        autocannon({ url: url + page.path, connections: CONNECTIONS_PER_REPLICA, duration: seconds }),
      ),
    )
    const cpuAfter = await cpuMsOf(pids)
    const sum = (pick) => results.reduce((total, result) => total + pick(result), 0)
    const bad = sum((result) => result.non2xx + result.errors)
    if (bad > 0) throw new Error(`${bad} answers were not 200`)
    const requests = sum((result) => result['2xx'])
    const ttfbs = []
    for (let round = 0; round < 5; round++)
      for (const { ttfbMs } of await visitAll(one, page)) ttfbs.push(ttfbMs)
    return {
      opsPerSecond: sum((result) => result['2xx'] / result.duration),
      p50Ms: median(results.map(({ latency }) => latency.p50)),
      p99Ms: Math.max(...results.map(({ latency }) => latency.p99)),
      ttfbMs: median(ttfbs),
      cpuMsPerOp: cpuBefore === undefined ? undefined : (cpuAfter - cpuBefore) / requests,
      residentMiB: await residentMiBOf(pids),
    }
  }
}

/** A page that nobody has rendered, asked for one after the other. */
function measureCold(page, count) {
  let serial = 0
  return async ({ replicas }) => {
    const pids = replicas.map(({ pid }) => pid)
    const cpuBefore = await cpuMsOf(pids)
    const visits = []
    for (let index = 0; index < count; index++) {
      const { url } = replicas[index % replicas.length]
      visits.push(await visit(`${url}${page.path}-${serial++}`, page.reader))
    }
    assertAnswered(visits)
    const cpuAfter = await cpuMsOf(pids)
    const ttfbs = visits.map(({ ttfbMs }) => ttfbMs)
    return {
      ttfbMs: median(ttfbs),
      ttfbP99Ms: quantile(ttfbs, 0.99),
      cpuMsPerOp: cpuBefore === undefined ? undefined : (cpuAfter - cpuBefore) / count,
      residentMiB: await residentMiBOf(pids),
    }
  }
}
