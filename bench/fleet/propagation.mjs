// How long after an invalidation was acknowledged in one process another one still serves what it forbids: by the
// handlers alone, since Next.js answers a webhook before they are done.
import { cellOf } from '../handler/cells.mjs'
import { startAll } from '../handler/level.mjs'
import { interleave } from '../lib/interleave.mjs'
import { quantile, summarize } from '../lib/statistics.mjs'
import { chosenSubjects, referenceOf } from '../subjects/catalogue.mjs'

const NEVER_MS = 3_000

export async function measurePropagation(options) {
  const { quick, repetitions, only = '', wanted, log } = options
  const rows = []
  for (const api of ['use cache', 'cacheHandler']) {
    const name = `propagation between two processes, ${api}`
    if (!name.includes(only)) continue
    log(name)
    const candidates = chosenSubjects(wanted).filter(
      ({ kind, apis, bodyIsRead, settings }) =>
        kind !== 'limit' &&
        kind !== 'stock' &&
        !bodyIsRead &&
        apis.includes(api) &&
        settings.driver !== 'redis',
    )
    const { running, failed, stop } = await startAll(candidates, 'loopback', { ...options, processes: 2 })
    const subjects = {}
    for (const { subject, reason } of failed) subjects[subject.name] = { kind: subject.kind, failed: reason }
    try {
      const measured = await interleave(running, repetitions, (member) =>
        measure(member, api, quick ? 10 : 50),
      )
      for (const [{ subject }, samples] of measured) {
        const never = samples.reduce((sum, sample) => sum + sample.never, 0)
        subjects[subject.name] = {
          kind: subject.kind,
          reference: referenceOf(subject, { op: subject.l1 ? 'L1 hit' : 'invalidate' }),
          samples,
          median: summarize(samples),
          ...(never > 0 && { failed: `${never} times still served after ${NEVER_MS / 1000} s, or an error` }),
        }
      }
    } finally {
      await stop()
    }
    rows.push({ level: 'fleet', name, figure: 'propagationMs', subjects })
  }
  return rows
}

async function measure({ asks: [one, other] }, api, rounds) {
  const cell = { ...cellOf(api, 'conditional read', { bytes: 1024, tags: 1, concurrency: 1 }), keys: 1 }
  const times = []
  let never = 0
  for (let round = 0; round < rounds && never === 0; round++) {
    try {
      await one('prepare', { cell })
      // The other one has read it, too, and holds it if it holds anything.
      await other('prepare', { cell })
      const gone = other('untilGone', { limitMs: NEVER_MS })
      const { at: acknowledgedAt } = await one('invalidate')
      const { foundAt } = await gone
      if (foundAt === undefined) never++
      else times.push(Math.max(0, foundAt - acknowledgedAt))
    } catch {
      never++
    }
  }
  return { never, propagationMs: quantile(times, 0.5), propagationP99Ms: quantile(times, 0.99) }
}
