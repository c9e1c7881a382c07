// CPU time and resident memory of other processes, where the system tells (Linux).
import { readFile } from 'node:fs/promises'

/** The kernel counts in hundredths of a second on every platform that Node.js runs on. */
const TICK_MS = 10

/** @returns {Promise<number | undefined>} of all of them together, in milliseconds */
export async function cpuMsOf(pids) {
  let total = 0
  for (const pid of pids) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
    if (stat === undefined) return undefined
    // The name of the program is in parentheses and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    total += (Number(fields[11]) + Number(fields[12])) * TICK_MS
  }
  return total
}

/** @returns {Promise<number | undefined>} of the average one */
export async function residentMiBOf(pids) {
  let total = 0
  for (const pid of pids) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
    const kib = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1])
    if (!Number.isFinite(kib)) return undefined
    total += kib / 1024
  }
  return total / pids.length
}
