// Figures of repeated measurements. Repetitions are interleaved: the i-th of one subject and the i-th of another
// were taken next to each other, so that what disturbed the machine disturbed both.

/** Linear between the two nearest; undefined of nothing. */
export function quantile(values, q) {
  if (values.length === 0) return undefined
  const sorted = [...values].sort((a, b) => a - b)
  const position = (sorted.length - 1) * q
  const below = Math.floor(position)
  const share = position - below
  const low = sorted[below]
  return share === 0 ? low : low + (sorted[below + 1] - low) * share
}

export const median = (values) => quantile(values, 0.5)

/**
 * How many times as large the first is: the ratio of the medians, and between what the ratios of neighbouring
 * repetitions lie. Undefined when one side has nothing, or nothing but zeros.
 *
 * @param {(number | undefined)[]} ours by repetition
 * @param {(number | undefined)[]} theirs by repetition
 */
export function ratioOf(ours, theirs) {
  const pairs = ours.flatMap((one, index) => {
    const other = theirs[index]
    return Number.isFinite(one) && Number.isFinite(other) && other > 0 ? [[one, other]] : []
  })
  if (pairs.length === 0) return undefined
  const single = pairs.map(([one, other]) => one / other)
  return {
    ratio: median(pairs.map(([one]) => one)) / median(pairs.map(([, other]) => other)),
    low: Math.min(...single),
    high: Math.max(...single),
  }
}

/** What a list of equally shaped measurements says: the median of each figure. */
export function summarize(measurements) {
  const names = new Set(measurements.flatMap((one) => Object.keys(one)))
  const summary = {}
  for (const name of names) {
    const values = measurements.map((one) => one[name]).filter((value) => Number.isFinite(value))
    if (values.length > 0) summary[name] = median(values)
  }
  return summary
}
