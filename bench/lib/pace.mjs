/** What each level may take of a run that has to end in time; what one leaves over the next one has. */
const SHARES = { handler: 0.28, storage: 0.05, application: 0.34, fleet: 0.16, scale: 0.17 }

/**
 * Keeps a quick run quick on a busy machine: a level that is late stops repeating, and leaves out the rows that it has not begun,
 * all but its first. Levels measure first what the goals need.
 *
 * @param {{ limitMs: number, levels: string[], now?: () => number }} options `limitMs`: Infinity for a run with time
 */
export function createPace({ limitMs, levels, now = () => performance.now() }) {
  const startedAt = now()
  const total = levels.reduce((sum, level) => sum + SHARES[level], 0)
  let lateAt = Infinity
  let isFirst = true
  const leftOut = []
  return {
    leftOut,
    begin(level) {
      const until = levels.slice(0, levels.indexOf(level) + 1)
      const share = until.reduce((sum, one) => sum + SHARES[one], 0) / total
      lateAt = startedAt + limitMs * share
      isFirst = true
    },
    isLate: () => now() > lateAt,
    /** Whether there is no time for a row that has not begun; notes it. */
    leavesOut(row) {
      if (isFirst || now() <= lateAt) {
        isFirst = false
        return false
      }
      leftOut.push(row)
      return true
    },
  }
}
