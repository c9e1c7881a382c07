// Whether an invalidation gets slower with the processes that share the server and hold what it forbids.
import { cellOf } from '../handler/cells.mjs'
import { startSubject } from '../handler/subject-process.mjs'
import { reasonOf } from '../lib/bounded.mjs'
import { interleave } from '../lib/interleave.mjs'
import { quantile } from '../lib/statistics.mjs'
import { chosenSubjects } from '../subjects/catalogue.mjs'
import { grown } from './growth.mjs'

const SIZES = [1, 3, 10]
const ROUNDS = 10

export async function measureProcesses(options) {
  const { only = '', wanted, log } = options
  const rows = []
  for (const api of ['use cache', 'cacheHandler']) {
    const name = `${api}, invalidate, processes`
    if (!name.includes(only)) continue
    log(name)
    const cell = { ...cellOf(api, 'invalidate', { bytes: 1024, tags: 1, concurrency: 1 }), keys: 1 }
    const own = SIZES.map((count) => ({
      level: 'scale',
      name: `${name}: ${count}`,
      count,
      cell: { ...cell, what: 'processes' },
      figure: 'p50Ms',
      subjects: {},
    }))
    const candidates = chosenSubjects(wanted).filter(
      ({ kind, apis, bodyIsRead, settings }) =>
        (kind === 'ours' || kind === 'peer') &&
        apis.includes(api) &&
        !bodyIsRead &&
        settings.driver !== 'redis',
    )
    for (const subject of candidates) await measureSubject(subject, cell, own, options)
    rows.push(...own)
  }
  return rows
}

/** One after the other: all of them at once would be more processes than a machine likes. */
async function measureSubject(subject, cell, rows, { repetitions, profile, pace }) {
  const { kind } = subject
  const groups = []
  try {
    for (const { count } of rows)
      groups.push({ count, ...(await startSubject(subject, { processes: count, profile })) })
    const measured = await interleave(groups, repetitions, (group) => measureGroup(group, cell), pace)
    const smallest = measured.get(groups[0]).samples
    for (const [index, group] of groups.entries()) {
      const { samples, failed } = measured.get(group)
      rows[index].subjects[subject.name] = failed
        ? { kind, failed }
        : { kind, samples, ...grown(samples, smallest) }
    }
  } catch (error) {
    for (const row of rows) row.subjects[subject.name] = { kind, failed: reasonOf(error) }
  } finally {
    for (const group of groups) await group.stop()
  }
}

async function measureGroup({ asks, asks: [one, ...others] }, cell) {
  for (const ask of asks) await ask('use', { cell })
  const times = []
  for (let round = 0; round < ROUNDS; round++) {
    // Nobody reads what is gone but the one that writes it: whoever misses would wait for the render of another.
    await one('rewrite')
    await Promise.all(others.map((other) => other('readOnce')))
    times.push((await one('invalidate')).ms)
  }
  return { p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99) }
}
