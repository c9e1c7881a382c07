/** Deterministic random numbers (mulberry32): one seed, one sequence, on every machine. */
export function createRandom(seed) {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const integer = (below) => Math.floor(next() * below)
  return {
    next,
    integer,
    chance: (probability) => next() < probability,
    pick: (items) => items[integer(items.length)],
    /** @param {[number, T][]} weighted @template T */
    weighted(weighted) {
      let at = next() * weighted.reduce((sum, [weight]) => sum + weight, 0)
      for (const [weight, item] of weighted) {
        at -= weight
        if (at < 0) return item
      }
      return weighted.at(-1)[1]
    },
  }
}
