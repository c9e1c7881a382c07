// The handlers by themselves: what one operation costs, next to the limit and to everybody else.
import { reasonOf } from '../lib/bounded.mjs'
import { interleave } from '../lib/interleave.mjs'
import { summarize } from '../lib/statistics.mjs'
import { chosenSubjects, referenceOf, takesPart } from '../subjects/catalogue.mjs'
import { BOOT_ROW, measureBoot } from './boot.mjs'
import { handlerCells, isWaiting } from './cells.mjs'
import { cpuMs, storedBytes } from './redis-facts.mjs'
import { startSubject } from './subject-process.mjs'

const ADDED_MS = 1
const COUNTED_OPERATIONS = 20
const WARM_OPERATIONS = 3_000
/** Of rows that wait. */
const FEW_REPETITIONS = 3

/**
 * @param {object} options
 * @param {string[]} [options.wanted] parts of the names of subjects
 * @param {(text: string) => void} options.log
 * @returns {Promise<object[]>} one row per cell
 */
export async function runHandlerLevel(options) {
  const cells = handlerCells(options).filter(({ name }) => name.includes(options.only ?? ''))
  const rows = []
  if (BOOT_ROW.includes(options.only ?? '')) rows.push(await measureBoot(options))
  for (const network of ['loopback', '1 ms']) {
    const here = cells.filter((cell) => cell.network === network)
    if (here.length === 0) continue
    const needed = chosenSubjects(options.wanted).filter((subject) =>
      here.some((cell) => isMeasured(subject, cell, options)),
    )
    const { running, failed, stop } = await startAll(needed, network, options)
    try {
      for (const cell of here) {
        if (options.pace.leavesOut(`handler: ${cell.name}`)) continue
        options.log(cell.name)
        const members = running.filter(({ subject }) => isMeasured(subject, cell, options))
        const row = await measureCell(cell, members, options)
        for (const { subject, reason } of failed)
          if (isMeasured(subject, cell, options)) row.subjects[subject.name] = { failed: reason }
        rows.push(row)
      }
    } finally {
      await stop()
    }
  }
  return rows
}

/** A quick run has the second driver only where both are wanted: in read hits of one interface. */
function isMeasured(subject, cell, { quick }) {
  if (subject.settings.driver === 'redis') {
    if (cell.oneDriver) return false
    if (quick && (cell.op !== 'read hit' || cell.api !== 'use cache' || cell.network !== 'loopback'))
      return false
  }
  return takesPart(subject, cell)
}

/** One that does not start must not keep the others from being measured. */
export async function startAll(subjects, network, { profile, log, processes }) {
  const running = []
  const failed = []
  const addedMs = network === 'loopback' ? undefined : ADDED_MS
  for (const subject of subjects) {
    try {
      running.push(await startSubject(subject, { addedMs, profile, processes }))
    } catch (error) {
      const reason = reasonOf(error)
      log(reason)
      failed.push({ subject, reason })
    }
  }
  const stop = () => Promise.all(running.map((member) => member.stop()))
  return { running, failed, stop }
}

/** @returns {Promise<object>} the row: samples and medians of each subject, and whom it is compared with */
export async function measureCell(cell, members, { repetitions: wanted, quick, pace }) {
  const ms = quick ? 80 : 250
  const repetitions = isWaiting(cell) ? Math.min(wanted, FEW_REPETITIONS) : wanted
  const subjects = {}
  const able = []
  for (const member of members) {
    const { subject } = member
    try {
      const facts = await prepare(member, cell)
      subjects[subject.name] = { kind: subject.kind, reference: referenceOf(subject, cell), ...facts }
      able.push(member)
      // The compiler has seen the code before anything counts, by operations: on a busy machine time alone says little.
      const warmUp = { minOps: WARM_OPERATIONS, limitMs: quick ? 400 : 1_500 }
      await member.ask('run', { ms: ms / 2, concurrency: cell.concurrency, ...warmUp })
    } catch (error) {
      subjects[subject.name] = { kind: subject.kind, failed: reasonOf(error) }
    }
  }
  const measured = await interleave(able, repetitions, (member) => runOnce(member, cell, ms), pace)
  for (const [member, { samples, failed }] of measured) {
    const entry = subjects[member.subject.name]
    if (failed !== undefined) {
      entry.failed = failed
      continue
    }
    entry.samples = samples
    entry.median = { ...summarize(samples), ...entry.facts }
    delete entry.facts
    const [ops, wrong] = ['ops', 'wrong'].map((name) => samples.reduce((sum, one) => sum + one[name], 0))
    if (wrong > 0) entry.failed = `${wrong} of ${ops} gave not what they had to`
  }
  return { level: 'handler', name: cell.name, cell, repetitions, figure: 'opsPerSecond', subjects }
}

async function prepare(member, cell) {
  await member.admin.flushall()
  const facts = {}
  const { found, retainedPerByte } = await member.ask('prepare', { cell })
  if (found < 1 && cell.op !== 'invalidate')
    throw new Error(`only ${Math.round(found * 100)} % of what was written could be read`)
  if (member.subject.kind !== 'stock')
    facts.storedPerByte = (await storedBytes(member.admin)) / (cell.bytes * cell.keys)
  if (['conditional read', 'L1 hit'].includes(cell.op)) facts.retainedPerByte = retainedPerByte
  if (member.proxy) Object.assign(facts, await countWire(member))
  return { facts }
}

async function runOnce(member, cell, ms) {
  const before = await cpuMs(member.admin)
  const sample = await member.ask('run', { ms, concurrency: cell.concurrency })
  if (cell.op === 'read miss') return sample
  return { ...sample, redisCpuMsPerOp: Math.max(0, (await cpuMs(member.admin)) - before) / sample.ops }
}

/** Medians of a few rounds: heartbeats and the like go over the same wire. */
async function countWire({ ask, proxy }) {
  const rounds = []
  for (let round = 0; round < 5; round++) {
    proxy.take()
    await ask('repeat', { count: COUNTED_OPERATIONS })
    const { roundTrips, bytesUp, bytesDown } = proxy.take()
    rounds.push({
      roundTrips: roundTrips / COUNTED_OPERATIONS,
      wireBytes: (bytesUp + bytesDown) / COUNTED_OPERATIONS,
    })
  }
  return summarize(rounds)
}
