import { localNow } from '../../src/server-time'
import type { Clock, LocalMillis, Milliseconds } from '../../src/units'

/** A generation of `use cache` that whoever reads the same may be given. */
interface Ingredient {
  readonly key: string
  readonly tags: readonly string[]
  readonly fence: Clock
  /** When Next stops to hand it to others. */
  until: LocalMillis
}

/** Next forgets a generation a few turns after it was stored. */
const JOIN_MS: Milliseconds = 20
const MAX_INGREDIENTS = 1_000

/**
 * Next lets a reader of `use cache` join whoever generates the same in this process. A page or function that
 * began after an invalidation may so be given content from before it, without asking us, and would be stored
 * under a fence that is newer than what is in it. Tags propagate from the inner to the outer: an entry that
 * carries all tags of a generation which it could have joined is taken to be as old as that. A false suspicion
 * costs something only when one of its tags was invalidated in between, and then one more refresh.
 */
export class Ingredients {
  private known: Ingredient[] = []
  /** What was forgotten for want of room may be in anything that began until then. */
  private forgotten = { until: -Infinity, fence: Infinity }

  constructor(private readonly latestClock: () => Clock) {}

  /** A generation is complete and on its way to the store; the returned function says that it arrived. */
  generated(key: string, tags: readonly string[], fence: Clock): () => void {
    if (tags.length === 0) return () => {}
    const mine: Ingredient = { key, tags, fence, until: Infinity }
    this.add(mine)
    return () => {
      mine.until = localNow() + JOIN_MS
      // Whoever began until now did not know more.
      if (fence >= this.latestClock()) this.known = this.known.filter((one) => one !== mine)
    }
  }

  /** The fence of what began at `since` with these tags, in view of what it may be made of: not of itself. */
  limit(key: string, fence: Clock, tags: readonly string[], since: LocalMillis): Clock {
    let limited = since <= this.forgotten.until ? Math.min(fence, this.forgotten.fence) : fence
    if (this.known.length === 0) return limited
    const own = new Set(tags)
    for (const inner of this.known) {
      if (inner.fence >= limited || inner.until < since || inner.key === key) continue
      if (inner.tags.every((tag) => own.has(tag))) limited = inner.fence
    }
    return limited
  }

  private add(ingredient: Ingredient): void {
    this.known.push(ingredient)
    if (this.known.length <= MAX_INGREDIENTS) return
    const { until, fence } = this.known.shift() as Ingredient
    this.forgotten = {
      // One that is still on its way has been so for long, and is as good as arrived.
      until: Math.max(this.forgotten.until, until === Infinity ? localNow() : until),
      fence: Math.min(this.forgotten.fence, fence),
    }
  }
}
