// How figures grow: with the entries that carry a tag, and with keys of others in the same database. Growth with
// payload is in the handler level, growth with replicas in the fleet level.
import { cellOf } from '../handler/cells.mjs'
import { startAll } from '../handler/level.mjs'
import { addForeignKeys, cpuMs } from '../handler/redis-facts.mjs'
import { interleave } from '../lib/interleave.mjs'
import { summarize } from '../lib/statistics.mjs'
import { chosenSubjects, referenceOf, takesPart } from '../subjects/catalogue.mjs'

const ENTRIES = { quick: [10, 1_000], full: [10, 1_000, 10_000, 100_000, 1_000_000] }
/** Filling takes others minutes beyond that, and some of them as long to invalidate. */
const MAX_ENTRIES_OF_PEERS = 10_000
const FOREIGN_KEYS = { quick: [0, 100_000], full: [0, 10_000, 100_000, 1_000_000] }
const FILL_CONCURRENCY = 64

export async function runScaleLevel(options) {
  const { quick, only = '', wanted, log } = options
  const size = quick ? 'quick' : 'full'
  const subjects = chosenSubjects(wanted).filter(({ settings }) => settings.driver !== 'redis')
  const rows = []
  for (const api of ['use cache', 'cacheHandler']) {
    const dimensions = [
      { op: 'invalidate', what: 'entries under the tag', sizes: ENTRIES[size], prepare: fill },
      { op: 'conditional read', what: 'foreign keys', sizes: FOREIGN_KEYS[size], prepare: besideForeignKeys },
    ]
    for (const dimension of dimensions) {
      const name = `${api}, ${dimension.op}, ${dimension.what}`
      if (!name.includes(only)) continue
      log(name)
      const cell = { ...cellOf(api, dimension.op, { bytes: 1024, tags: 1, concurrency: 1 }), keys: 16 }
      const members = subjects.filter((subject) => takesPart(subject, cell))
      const { running, failed, stop } = await startAll(members, 'loopback', options)
      try {
        rows.push(...(await measureDimension(name, dimension, cell, running, failed, options)))
      } finally {
        await stop()
      }
    }
  }
  return rows
}

async function measureDimension(name, { sizes, prepare, op }, cell, running, failed, { quick, repetitions }) {
  const rows = []
  const smallest = new Map()
  for (const count of sizes) {
    const subjects = {}
    for (const { subject, reason } of failed) subjects[subject.name] = { kind: subject.kind, failed: reason }
    const able = running.filter(
      ({ subject }) => op !== 'invalidate' || subject.kind === 'ours' || count <= MAX_ENTRIES_OF_PEERS,
    )
    for (const member of able) await prepare(member, cell, count)
    const measured = await interleave(able, repetitions, async (member, repetition) => {
      // Some of them remove what they invalidate: then there would be nothing left to do.
      if (op === 'invalidate' && member.subject.kind !== 'ours' && repetition > 0)
        await fill(member, cell, count)
      const before = await cpuMs(member.admin)
      const sample = await member.ask('run', {
        ms: op === 'invalidate' ? 0 : quick ? 100 : 500,
        concurrency: 1,
      })
      return { ...sample, redisCpuMsPerOp: ((await cpuMs(member.admin)) - before) / sample.ops }
    })
    for (const [{ subject }, samples] of measured) {
      const median = summarize(samples)
      smallest.set(subject, smallest.get(subject) ?? median.p50Ms)
      median.growth = median.p50Ms / smallest.get(subject)
      subjects[subject.name] = { kind: subject.kind, reference: referenceOf(subject, cell), samples, median }
    }
    const rowName = `${name}: ${count.toLocaleString('en-US')}`
    rows.push({ level: 'scale', name: rowName, count, cell, figure: 'p50Ms', subjects })
  }
  return rows
}

async function fill({ admin, ask }, cell, count) {
  await admin.flushall()
  await ask('fill', { cell: { ...cell, bytes: 128 }, count, concurrency: FILL_CONCURRENCY })
}

async function besideForeignKeys({ admin, ask }, cell, count) {
  await admin.flushall()
  await addForeignKeys(admin, count)
  await ask('prepare', { cell })
  await ask('run', { ms: 100, concurrency: 1 })
}
