// How long after an invalidation was acknowledged in one process another one still serves what it forbids: by the
// handlers alone, since Next.js answers a webhook before they are done.
import { cellOf } from '../handler/cells.mjs'
import { startAll } from '../handler/level.mjs'
import { interleave } from '../lib/interleave.mjs'
import { quantile, summarize } from '../lib/statistics.mjs'
import { chosenSubjects, referenceOf } from '../subjects/catalogue.mjs'

const NEVER_MS = 3_000

export async function measurePropagation(options) {
  const { quick, repetitions, only = '', wanted, log, pace } = options
  const rows = []
  for (const api of ['use cache', 'cacheHandler']) {
    const name = `propagation between two processes, ${api}`
    if (!name.includes(only) || pace.leavesOut(`fleet: ${name}`)) continue
    log(name)
    const candidates = chosenSubjects(wanted).filter(
      ({ kind, apis, bodyIsRead, settings }) =>
        (kind === 'ours' || kind === 'peer') &&
        !bodyIsRead &&
        apis.includes(api) &&
        settings.driver !== 'redis',
    )
    const { running, failed, stop } = await startAll(candidates, 'loopback', { ...options, processes: 2 })
    const subjects = {}
    for (const { subject, reason } of failed) subjects[subject.name] = { kind: subject.kind, failed: reason }
    try {
      const rounds = quick ? 5 : 30
      const measured = await interleave(running, repetitions, (one) => measure(one, api, rounds), pace)
      for (const [{ subject }, { samples, failed: failure }] of measured) {
        const entry = {
          kind: subject.kind,
          reference: referenceOf(subject, { op: subject.l1 ? 'L1 hit' : 'invalidate' }),
        }
        subjects[subject.name] =
          failure === undefined
            ? { ...entry, samples, median: summarize(samples) }
            : { ...entry, failed: failure }
      }
    } finally {
      await stop()
    }
    rows.push({ level: 'fleet', name, cell: { propagation: api }, figure: 'propagationMs', subjects })
  }
  return rows
}

async function measure({ asks: [one, other] }, api, rounds) {
  const cell = { ...cellOf(api, 'conditional read', { bytes: 1024, tags: 1, concurrency: 1 }), keys: 1 }
  const times = []
  for (let round = 0; round < rounds; round++) {
    await one('prepare', { cell })
    // The other one has read it, too, and holds it if it holds anything.
    await other('prepare', { cell })
    const gone = other('untilGone', { limitMs: NEVER_MS })
    // An error of the invalidation is reported, not this one's.
    gone.catch(() => {})
    const { at: acknowledgedAt } = await one('invalidate')
    const { foundAt } = await gone
    if (foundAt === undefined) throw new Error(`still served ${NEVER_MS / 1000} s after the invalidation`)
    times.push(Math.max(0, foundAt - acknowledgedAt))
  }
  return { propagationMs: quantile(times, 0.5), propagationP99Ms: quantile(times, 0.99) }
}
