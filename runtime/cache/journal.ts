import { localNow } from '../../src/server-time'
import type { TagChange, Verdict } from '../../src/tag-state'
import type { LocalMillis } from '../../src/units'

/** Distinct tags kept while Redis is away; past it, all of them become one: everything. */
export const MAX_JOURNAL_TAGS = 10_000

interface Pending {
  readonly change: TagChange
  /** When content from before the first of them must no longer be served by this process. */
  readonly hardAt: LocalMillis
}

/**
 * Invalidations of this process that have not reached the store: bounded, one record per tag. Until they are
 * applied, everything that this process reads is also judged by them.
 *
 * A soft one gets its deadline when it is applied, which may be late; in this process its window begins at once.
 */
export class Journal {
  private readonly pending = new Map<string, Pending>()
  /** How often it overflowed, and the last of these times for which everything was invalidated. */
  private overflows = 0
  private settledOverflows = 0
  private settlements = 0

  /** Number of the overflow for which the whole application is to be invalidated; 0: none. */
  get overflow(): number {
    return this.overflows > this.settledOverflows ? this.overflows : 0
  }

  /** True while an invalidation of this process has not reached the store. */
  get behind(): boolean {
    return this.pending.size > 0 || this.overflow > 0
  }

  get size(): number {
    return this.pending.size
  }

  /** How often something left the journal: what was read meanwhile may have seen it in neither place. */
  get settled(): number {
    return this.settlements
  }

  get changes(): TagChange[] {
    return [...this.pending.values()].map(({ change }) => change)
  }

  add(changes: readonly TagChange[]): void {
    for (const { tag, windowMicros } of changes) {
      const kept = this.pending.get(tag)
      const hardAt = windowMicros === undefined ? 0 : localNow() + windowMicros / 1000
      this.pending.set(tag, {
        change: { tag, windowMicros: kept === undefined ? windowMicros : shorter(kept.change, windowMicros) },
        hardAt: Math.min(hardAt, kept?.hardAt ?? Infinity),
      })
    }
    if (this.pending.size <= MAX_JOURNAL_TAGS) return
    this.pending.clear()
    this.overflows++
  }

  /** They reached the store; a change that came meanwhile replaced the object, and stays. */
  settle(changes: readonly TagChange[]): void {
    if (changes.length > 0) this.settlements++
    for (const change of changes)
      if (this.pending.get(change.tag)?.change === change) this.pending.delete(change.tag)
  }

  settleOverflow(overflow: number): void {
    if (overflow === 0) return
    this.settlements++
    this.settledOverflows = overflow
  }

  /** What the journal says about an entry with these tags, of which the store knows nothing yet. */
  judge(tags: Iterable<string>): Verdict {
    if (this.overflow > 0) return 'expired'
    if (this.pending.size === 0) return 'fresh'
    let verdict: Verdict = 'fresh'
    for (const tag of tags) {
      const pending = this.pending.get(tag)
      if (pending === undefined) continue
      if (pending.hardAt <= localNow()) return 'expired'
      verdict = 'stale'
    }
    return verdict
  }
}

/** Hard covers soft, and of two windows the shorter one covers the other. */
function shorter(kept: TagChange, windowMicros: number | undefined): number | undefined {
  if (kept.windowMicros === undefined || windowMicros === undefined) return undefined
  return Math.min(kept.windowMicros, windowMicros)
}
