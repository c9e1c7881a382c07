// How much of the machine others took while something was measured: all that its processors did, less what this process and
// those below it did. Ratios survive a neighbour, throughput does not.
import { readFile, readdir } from 'node:fs/promises'
import { cpus } from 'node:os'

const EVERY_MS = 5_000
/** The kernel counts in hundredths of a second. */
const TICK_MS = 10

/** @returns {number | undefined} what all processors did, in milliseconds, by the text of /proc/stat */
export function busyMsOf(stat) {
  const fields = /^cpu +(.*)$/m.exec(stat)?.[1].split(' ').map(Number)
  if (fields === undefined) return undefined
  const [user, nice, system, , , irq = 0, softirq = 0, steal = 0] = fields
  return (user + nice + system + irq + softirq + steal) * TICK_MS
}

/** @returns {{ parent: number, ms: number }} by the text of /proc/<pid>/stat; with the children that it has waited for */
export function processOf(stat) {
  // The name of the program is in parentheses and may hold anything.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  const [user, system, childrenUser, childrenSystem] = fields.slice(11, 15)
  return { parent: fields[1], ms: (user + system + childrenUser + childrenSystem) * TICK_MS }
}

/** What a process and all below it did, in milliseconds. @param {Map<number, { parent: number, ms: number }>} processes */
export function familyMs(processes, root) {
  const isOurs = (pid) => {
    for (let at = pid; processes.has(at); at = processes.get(at).parent) if (at === root) return true
    return false
  }
  let total = 0
  for (const [pid, { ms }] of processes) if (isOurs(pid)) total += ms
  return total
}

async function look() {
  const stat = await readFile('/proc/stat', 'utf8').catch(() => '')
  const busyMs = busyMsOf(stat)
  if (busyMs === undefined) return undefined
  const processes = new Map()
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const own = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => undefined)
    if (own !== undefined) processes.set(Number(name), processOf(own))
  }
  return { at: performance.now(), othersMs: busyMs - familyMs(processes, process.pid) }
}

const bound = (share) => Math.min(cpus().length, Math.max(0, share))

/** Where the system tells nothing (Linux does), it says nothing. */
export function watchLoad() {
  let shares = []
  let last
  const step = async () => {
    const now = await look()
    // A process that ends takes what its last moments cost with it, until its parent has waited for it.
    if (now && last) shares.push(bound((now.othersMs - last.othersMs) / (now.at - last.at)))
    last = now
  }
  let timer
  const go = () => {
    timer = setTimeout(
      () =>
        void step()
          .catch(() => {})
          .then(go),
      EVERY_MS,
    )
    timer.unref()
  }
  void step().catch(() => {})
  go()
  return {
    /** Processors that others kept busy since the last call: on average, and in the worst seconds. */
    take() {
      const taken = shares
      shares = []
      if (taken.length === 0) return undefined
      const mean = taken.reduce((sum, one) => sum + one, 0) / taken.length
      return { mean: Number(mean.toFixed(2)), worst: Number(Math.max(...taken).toFixed(2)) }
    },
    stop: () => clearTimeout(timer),
  }
}

export const formatLoad = (load) =>
  load === undefined
    ? 'what others did is not known'
    : `others kept ${load.mean} processors busy, ${load.worst} at worst`

/** Of all levels together: the average by time, and the worst. @param {Record<string, { seconds: number, othersBusy?: object }>} levels */
export function wholeLoad(levels = {}) {
  const known = Object.values(levels).filter(({ othersBusy }) => othersBusy !== undefined)
  if (known.length === 0) return undefined
  const seconds = known.reduce((sum, one) => sum + one.seconds, 0)
  const mean = known.reduce((sum, one) => sum + one.seconds * one.othersBusy.mean, 0) / Math.max(1, seconds)
  return {
    mean: Number(mean.toFixed(2)),
    worst: Math.max(...known.map(({ othersBusy }) => othersBusy.worst)),
  }
}
