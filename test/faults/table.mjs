// Rows for people.

/** @param {number[]} durations */
export function quantile(durations, share) {
  const sorted = [...durations].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}

const whole = (value) => (value === undefined ? '-' : String(Math.round(value)))
const megabytes = (bytes) => (bytes === undefined ? '-' : (bytes / 1024 ** 2).toFixed(1))

/** @type {[title: string, of: (row: object) => string][]} */
const COLUMNS = [
  ['fault', ({ what }) => what],
  ['requests', ({ requests }) => whole(requests)],
  ['non-200', ({ failures }) => whole(failures)],
  ['p50 healthy', ({ healthy }) => whole(quantile(healthy, 0.5))],
  ['p50', ({ faulted }) => whole(quantile(faulted, 0.5))],
  ['p99 healthy', ({ healthy }) => whole(quantile(healthy, 0.99))],
  ['p99', ({ faulted }) => whole(quantile(faulted, 0.99))],
  ['max', ({ longestMs }) => whole(longestMs)],
  ['renders', ({ renders }) => whole(renders)],
  ['sockets', ({ sockets: { most, after } }) => `${most}, then ${after}`],
  ['heap MB', ({ heapGrowth }) => megabytes(heapGrowth)],
  ['recovery s', ({ recoverySeconds }) => recoverySeconds?.toFixed(2) ?? 'never'],
  ['invalidations', ({ invalidations: { held, issued } }) => `${held} of ${issued} hold`],
]

export const LEGEND = `Times in ms; p50, p99 and max while faulted. Renders: what the origin was asked, from the beginning of the fault to
the recovery. Sockets: the most that one replica had open to Redis, and after the recovery. Heap: growth of one
replica, garbage excluded; "-": it was started anew.`

export function describeRows(rows) {
  return aligned([COLUMNS.map(([title]) => title), ...rows.map((row) => COLUMNS.map(([, of]) => of(row)))])
}

/** Text to the left, the first column; numbers to the right. */
export function aligned(cells) {
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)))
  const pad = (text, column) => (column === 0 ? text.padEnd(widths[0]) : text.padStart(widths[column]))
  return cells.map((row) => row.map(pad).join('  ').trimEnd()).join('\n')
}
