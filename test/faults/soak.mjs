// Faults in random order for a long time, in the same processes: what is not bounded shows as growth.
import { aligned } from './table.mjs'

/** What the heap may differ by chance: a share of it, and some bytes. */
const SLACK = { share: 0.1, bytes: 4 * 1024 ** 2 }

/**
 * @param {object} cell an open cell
 * @param {{ faults: object[], ms: number, log: (line: string) => void }} options
 */
export async function soak(cell, { faults, ms, log }) {
  const startedAt = performance.now()
  const deadline = startedAt + ms
  const rows = []
  // A process that is started anew forgets what it leaked.
  const cycle = faults.filter(({ atBoot }) => !atBoot)
  while (performance.now() < deadline) {
    const left = [...cycle]
    while (left.length > 0 && performance.now() < deadline) {
      const [fault] = left.splice(cell.random.integer(left.length), 1)
      const row = { atMs: performance.now() - startedAt, ...(await cell.run(fault)) }
      rows.push(row)
      const minutes = (row.atMs / 60_000).toFixed(1)
      const heap = (row.heapBytes / 1024 ** 2).toFixed(1)
      log(`${minutes.padStart(5)} min  ${heap} MB  ${row.sockets.after} sockets  after: ${row.what}`)
      for (const problem of row.problems) log(`  ${problem}`)
    }
  }
  return { rows, trend: trendOf(rows) }
}

/** The first third against the last. */
export function trendOf(rows) {
  const third = Math.max(1, Math.floor(rows.length / 3))
  const [first, last] = [rows.slice(0, third), rows.slice(-third)].map((part) => ({
    heapBytes: mean(part.map(({ heapBytes }) => heapBytes)),
    sockets: mean(part.map(({ sockets }) => sockets.after)),
  }))
  return {
    first,
    last,
    isFlat:
      last.heapBytes <= first.heapBytes * (1 + SLACK.share) + SLACK.bytes &&
      last.sockets <= first.sockets + 0.5,
  }
}

export function describeTrend({ first, last, isFlat }) {
  const row = (name, { heapBytes, sockets }) => [name, (heapBytes / 1024 ** 2).toFixed(1), sockets.toFixed(1)]
  const table = aligned([['', 'heap MB', 'sockets'], row('first third', first), row('last third', last)])
  return `${table}\n${isFlat ? 'flat' : 'NOT FLAT'}`
}

const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length
