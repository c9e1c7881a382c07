import { createRequire } from 'node:module'
import { join } from 'node:path'
import { cpuMsOf, residentMiBOf } from '../deployments/process-facts.mjs'
import { assertAnswered, visit } from '../deployments/visit.mjs'
import { PEERS } from '../lib/install-peers.mjs'
import { median } from '../lib/statistics.mjs'

const autocannon = createRequire(join(PEERS, 'package.json'))('autocannon')

const CONNECTIONS_PER_REPLICA = 16
/** The load generator looks at the clock this often, and so ends in time. */
const SAMPLE_MS = 50

/** In seconds: load before figures are taken, and load that is measured. */
const FULL = { turns: 1, runIn: 1.5, duration: 5 }
const QUICK = { turns: 3, runIn: 0, duration: 0.5 }

/**
 * Load on a page that every replica has. While a process has little to do, V8 collects its garbage and forgets code
 * that it compiled, eight seconds after the last work: the first thousand requests then cost up to twice as much. So
 * in a full run, in which everybody waits longer than that for the next turn, everybody runs in; in a quick one turns
 * are so short that nobody waits as long.
 */
export function warmPage(page, quick) {
  const { turns, runIn, duration } = quick ? QUICK : FULL
  const loadAll = ({ replicas }, size) =>
    Promise.all(
      replicas.map(({ url }) =>
        autocannon({
          url: url + page.path,
          connections: CONNECTIONS_PER_REPLICA,
          sampleInt: SAMPLE_MS,
          ...size,
        }),
      ),
    )
  return {
    warmUpTurns: 1,
    turns,
    async warmUp(one) {
      for (let round = 0; round < 3; round++) await visitAll(one, page)
      await loadAll(one, quick ? { duration: 1 } : { amount: 1_000 })
    },
    async turn(one) {
      const pids = one.replicas.map(({ pid }) => pid)
      if (runIn > 0) await loadAll(one, { duration: runIn })
      const cpuBefore = await cpuMsOf(pids)
      const results = await loadAll(one, { duration })
      const cpuMs = cpuBefore === undefined ? undefined : (await cpuMsOf(pids)) - cpuBefore
      const bad = sum(results, (result) => result.non2xx + result.errors)
      if (bad > 0) throw new Error(`${bad} answers were not 200`)
      const ttfbs = []
      for (let round = 0; round < 5; round++)
        for (const { ttfbMs } of await visitAll(one, page)) ttfbs.push(ttfbMs)
      return { results, ttfbs, cpuMs, residentMiB: await residentMiBOf(pids) }
    },
    join(samples) {
      const results = samples.flatMap((sample) => sample.results)
      const cpuMs = sum(samples, (sample) => sample.cpuMs ?? Number.NaN)
      return {
        opsPerSecond: sum(results, (result) => result['2xx'] / result.duration) / samples.length,
        p50Ms: median(results.map(({ latency }) => latency.p50)),
        p99Ms: Math.max(...results.map(({ latency }) => latency.p99)),
        ttfbMs: median(samples.flatMap((sample) => sample.ttfbs)),
        cpuMsPerOp: Number.isNaN(cpuMs) ? undefined : cpuMs / sum(results, (result) => result['2xx']),
        residentMiB: samples.at(-1).residentMiB,
      }
    },
  }
}

const sum = (list, pick) => list.reduce((total, one) => total + pick(one), 0)

async function visitAll({ replicas }, { path, reader }) {
  const visits = await Promise.all(replicas.map(({ url }) => visit(url + path, reader)))
  assertAnswered(visits)
  return visits
}
