import { cpuMsOf, residentMiBOf } from '../deployments/process-facts.mjs'
import { assertAnswered, visit } from '../deployments/visit.mjs'
import { median, quantile } from '../lib/statistics.mjs'

/** Cold pages that are asked for before the next one's turn. */
const COLD_PAGES = 4

/**
 * Pages that nobody has rendered, asked for one after the other, in turns so short that nobody idles for long
 * (`warmPage` says why).
 */
export function coldPage(page, quick) {
  let serial = 0
  const turn = async ({ replicas }) => {
    const pids = replicas.map(({ pid }) => pid)
    const cpuBefore = await cpuMsOf(pids)
    const visits = []
    for (let index = 0; index < COLD_PAGES; index++) {
      const { url } = replicas[index % replicas.length]
      visits.push(await visit(`${url}${page.path}-${serial++}`, page.reader))
    }
    assertAnswered(visits)
    const cpuMs = cpuBefore === undefined ? undefined : (await cpuMsOf(pids)) - cpuBefore
    return { ttfbs: visits.map(({ ttfbMs }) => ttfbMs), cpuMs, residentMiB: await residentMiBOf(pids) }
  }
  return {
    warmUpTurns: quick ? 4 : 40,
    // Many to a repetition: renders of one process differ by a third from second to second.
    turns: quick ? 3 : 30,
    warmUp: turn,
    turn,
    join(samples) {
      const ttfbs = samples.flatMap((sample) => sample.ttfbs)
      const cpuMs = samples.reduce((total, sample) => total + (sample.cpuMs ?? Number.NaN), 0)
      return {
        ttfbMs: median(ttfbs),
        ttfbP99Ms: quantile(ttfbs, 0.99),
        cpuMsPerOp: Number.isNaN(cpuMs) ? undefined : cpuMs / ttfbs.length,
        residentMiB: samples.at(-1).residentMiB,
      }
    },
  }
}
