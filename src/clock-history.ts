import type { Clock, LocalMillis } from './units'

interface Observation {
  readonly at: LocalMillis
  readonly clock: Clock
}

const MAX_OBSERVATIONS = 1024

/**
 * What this process knew, and since when: a generation that began at a time is fenced by the newest
 * observation at or before it. Merging forgets observations in between, which only makes a fence older,
 * and an older fence is always safe; the first one is never dropped.
 */
export class ClockHistory {
  private observations: Observation[] = []

  /** A reply that arrived at `at` told the server's clock. */
  observe(at: LocalMillis, clock: Clock): void {
    const last = this.observations.at(-1)
    // The same knowledge again adds nothing, and knowledge never shrinks.
    if (last !== undefined && clock <= last.clock) return
    this.observations.push({ at, clock })
    if (this.observations.length > MAX_OBSERVATIONS) {
      const half = MAX_OBSERVATIONS / 2
      this.observations = this.observations.filter((_, index) => index >= half || index % 2 === 0)
    }
  }

  /** The fence of a generation that began at `time`; undefined when nothing was known by then. */
  at(time: LocalMillis): Clock | undefined {
    let low = 0
    let high = this.observations.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.observations[middle] as Observation).at <= time) low = middle + 1
      else high = middle
    }
    return this.observations[low - 1]?.clock
  }

  /** The first clock observed; 0: none yet. */
  get first(): Clock {
    return this.observations[0]?.clock ?? 0
  }

  /** The newest clock observed; 0: none yet. */
  get latest(): Clock {
    return this.observations.at(-1)?.clock ?? 0
  }
}
