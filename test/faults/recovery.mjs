// When a fault is over: what A renders anew is served by B, and what was served is served again.
import { ask, factsOf, statusOf } from './ask.mjs'

const READER = 'remote'
const EVERY_MS = 50
let fresh = 0

/**
 * Seconds until the replicas share again, from now; undefined: not within the limit.
 *
 * @param {{ replicas: { url: string }[], shards: number, limitMs: number, requestMs: number,
 *   count: (status: number | string, ms: number, what: string) => void }} options
 */
export async function secondsToRecover({ replicas, shards, limitMs, requestMs, count }) {
  const startedAt = performance.now()
  const visit = async ({ url }, path) => {
    const answer = await ask(url + path, { limitMs: requestMs })
    count(statusOf(answer, READER), answer.ms, path)
    return factsOf(answer, READER)?.render
  }
  const [a, b] = replicas
  // So many in a row that each shard has one, but for one time in hundreds.
  const wanted = shards === 1 ? 1 : 5 * shards
  let recovered = []
  while (performance.now() - startedAt < limitMs) {
    // A small entry under a name of its own, so that nothing of an earlier attempt can answer.
    const path = `/${READER}/new-${++fresh}`
    const rendered = await visit(a, path)
    const isShared = rendered !== undefined && (await visit(b, path)) === rendered
    if (isShared && (await visit(a, path)) === rendered) {
      recovered.push((performance.now() - startedAt) / 1000)
      if (recovered.length === wanted) return recovered[0]
      continue
    }
    recovered = []
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS))
  }
  return undefined
}
