// What a visitor could tell apart.

/** What a side showed before, so that two answers can be called the same without comparing random numbers. */
export function createMemory() {
  const seen = new Map()
  return {
    /** What was shown under this subject no longer counts. */
    forget(subject) {
      for (const key of seen.keys()) if (key.startsWith(`${subject} `)) seen.delete(key)
    },
    /** Adds to each fact whether it is the answer, and the render, that this side showed last time. */
    describe(subject, observation) {
      const facts = {}
      for (const [reader, { version, serial, render }] of Object.entries(observation.facts)) {
        const key = `${subject} ${reader}`
        const before = seen.get(key)
        facts[reader] = {
          version,
          answer: before === undefined ? 'first' : before.serial === serial ? 'same' : 'new',
          render: before === undefined ? 'first' : before.render === render ? 'same' : 'new',
        }
        seen.set(key, { serial, render })
      }
      return { ...observation, facts }
    },
  }
}

/** More than a busy machine explains: somebody waits for somebody who does not come. */
const SLOW_MS = 3_000

/**
 * @returns {string[]} names of what differs: `status`, `cache`, `location`, `body`, `slow`, `facts` (other readers), or
 *   `version`, `answer`, `render` with the reader: `version:isr`
 */
export function differencesOf(stock, ours) {
  const differences = ['status', 'cache', 'location', 'body'].filter((field) => stock[field] !== ours[field])
  if (ours.ms - stock.ms > SLOW_MS) differences.push('slow')
  const readers = (side) => Object.keys(side.facts).sort().join(' ')
  if (readers(stock) !== readers(ours)) return [...differences, 'facts']
  for (const reader of Object.keys(stock.facts))
    for (const field of ['version', 'answer', 'render'])
      if (stock.facts[reader][field] !== ours.facts[reader][field]) differences.push(`${field}:${reader}`)
  return differences
}
