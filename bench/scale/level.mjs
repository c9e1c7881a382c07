// How figures grow: with the entries that carry a tag, with keys of others in the same database, with the payload, and with
// the processes that share a server. Growth of whole fleets is in the fleet level.
import { sizeName } from '../handler/cells.mjs'
import { startAll } from '../handler/level.mjs'
import { cpuMs } from '../handler/redis-facts.mjs'
import { reasonOf } from '../lib/bounded.mjs'
import { interleave } from '../lib/interleave.mjs'
import { chosenSubjects, takesPart } from '../subjects/catalogue.mjs'
import { DIMENSIONS } from './dimensions.mjs'
import { grown } from './growth.mjs'
import { measureProcesses } from './processes.mjs'

const APIS = ['use cache', 'cacheHandler']

export async function runScaleLevel(options) {
  const { quick, only = '', wanted, log, pace } = options
  const rows = []
  const wantedCells = DIMENSIONS.flatMap((dimension) =>
    APIS.map((api) => {
      const sizes = dimension.sizes[quick ? 'quick' : 'full']
      const [sample] = sizes.map((size) => dimension.cellOf(api, size))
      return { api, dimension, sizes, sample, name: `${api}, ${dimension.op}, ${dimension.what}` }
    }),
  ).filter(({ name, sizes }) => name.includes(only) && sizes.length > 0)
  const needed = chosenSubjects(wanted).filter(
    (subject) => subject.settings.driver !== 'redis' && wantedCells.some((part) => isMeasured(subject, part)),
  )
  const { running, failed, stop } = await startAll(needed, 'loopback', options)
  try {
    for (const part of wantedCells) {
      if (pace.leavesOut(`scale: ${part.name}`)) continue
      log(part.name)
      const takes = ({ subject }) => isMeasured(subject, part)
      rows.push(...(await measureDimension(part, running.filter(takes), failed.filter(takes), options)))
    }
  } finally {
    await stop()
  }
  // A quick run has no time for it, unless it was asked for.
  if (!quick || only.includes('processes')) rows.push(...(await measureProcesses(options)))
  return rows
}

const isMeasured = (subject, { dimension, sample }) =>
  takesPart(subject, sample) ||
  (dimension.withLocalMemory === true && subject.kind === 'ours' && subject.l1 === true)

/** Nobody is compared with anybody here, but each with itself. */
async function measureDimension({ api, dimension, sizes, name }, members, failed, options) {
  const { repetitions, quick, pace } = options
  const rows = new Map(sizes.map((size) => [size, rowOf(api, dimension, size, name)]))
  for (const { subject, reason } of failed)
    for (const row of rows.values()) row.subjects[subject.name] = { kind: subject.kind, failed: reason }
  for (const member of members) {
    const { subject } = member
    const able = sizes.filter((size) => dimension.fits(member, size))
    try {
      await dimension.prepare(member, api, able)
      await warmUp(member, dimension, api, able[0], quick)
    } catch (error) {
      const failure = { kind: subject.kind, failed: reasonOf(error) }
      for (const size of able) rows.get(size).subjects[subject.name] = failure
      continue
    }
    const run = (size) => runOnce(member, dimension, api, size, quick)
    const own = dimension.repetitionsOf?.(member, repetitions) ?? repetitions
    const measured = await interleave(able, own, run, pace)
    const smallest = measured.get(able[0]).samples
    for (const [size, { samples, failed: failure }] of measured) {
      const row = rows.get(size)
      const { kind } = subject
      row.subjects[subject.name] =
        failure === undefined ? { kind, samples, ...grown(samples, smallest) } : { kind, failed: failure }
    }
  }
  return [...rows.values()]
}

function rowOf(api, dimension, size, name) {
  const shown = dimension.isByte ? sizeName(size) : size.toLocaleString('en-US')
  const cell = { ...dimension.cellOf(api, size), what: dimension.what }
  return { level: 'scale', name: `${name}: ${shown}`, count: size, cell, figure: 'p50Ms', subjects: {} }
}

/** The compiler has seen the code before anything counts: the smallest size would look slow otherwise. */
async function warmUp(member, dimension, api, size, quick) {
  for (let round = 0; round < (quick ? 2 : 5); round++) {
    await dimension.before(member, api, size)
    await operate(member, dimension, api, size, quick)
  }
}

function operate(member, dimension, api, size, quick) {
  const { concurrency } = dimension.cellOf(api, size)
  return member.ask('run', { ...dimension.run(member, quick), concurrency })
}

async function runOnce(member, dimension, api, size, quick) {
  await dimension.before(member, api, size)
  const before = await cpuMs(member.admin)
  const sample = await operate(member, dimension, api, size, quick)
  const { ops, wrong } = sample
  if (wrong > 0) throw new Error(`${wrong} of ${ops} gave not what they had to`)
  return { ...sample, redisCpuMsPerOp: ((await cpuMs(member.admin)) - before) / ops }
}
