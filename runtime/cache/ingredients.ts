import { localNow } from '../../src/server-time'
import type { Clock, LocalMillis, Milliseconds } from '../../src/units'

/** A generation of `use cache` that others may be given. */
interface Ingredient {
  readonly key: string
  readonly tags: readonly string[]
  readonly fence: Clock
  /** Until when a generation that begins may still be given it; Infinity: it is not stored yet. */
  until: LocalMillis
}

/** How long after it was stored Next may still hand it to who joined: some turns of the event loop, with room to spare. */
const JOIN_MS: Milliseconds = 20
/** More are remembered as one, which may be in everything: see `forgotten`. */
const MAX_INGREDIENTS = 2_000

/**
 * Next lets a reader of `use cache` join whoever generates the same in this process, and keeps it for the rest of
 * the request. A page or function that began after an invalidation may so be given content from before it, without
 * asking us, and would be stored under a fence that is newer than what is in it. Tags propagate from the inner to
 * the outer: an entry that carries all tags of a generation which it could have joined is taken to be as old as
 * that. A false suspicion costs something only when one of its tags was invalidated in between, and then one
 * more refresh.
 */
export class Ingredients {
  private readonly onTheirWay = new Set<Ingredient>()
  /** In the order of their arrival: whoever began lately looks at the last few. */
  private readonly arrived: Ingredient[] = []
  /** What was forgotten for want of room may be in anything that began until then. */
  private forgotten = { until: -Infinity, fence: Infinity }

  /** A generation is complete and on its way to the store; the returned function says that it arrived. */
  generated(key: string, tags: readonly string[], fence: Clock): () => void {
    if (tags.length === 0) return () => {}
    const mine: Ingredient = { key, tags, fence, until: Infinity }
    this.onTheirWay.add(mine)
    if (this.onTheirWay.size + this.arrived.length > MAX_INGREDIENTS) this.forgetOne()
    return () => {
      if (!this.onTheirWay.delete(mine)) return
      mine.until = localNow() + JOIN_MS
      this.arrived.push(mine)
    }
  }

  /** The fence of what began at `since` with these tags, in view of what it may be made of: not of itself. */
  limit(key: string, fence: Clock, tags: readonly string[], since: LocalMillis): Clock {
    let limited = since <= this.forgotten.until ? Math.min(fence, this.forgotten.fence) : fence
    let own: Set<string> | undefined
    const consider = (inner: Ingredient): void => {
      if (inner.fence >= limited || inner.key === key) return
      own ??= new Set(tags)
      if (inner.tags.every((tag) => own?.has(tag))) limited = inner.fence
    }
    for (const inner of this.onTheirWay) consider(inner)
    for (let index = this.arrived.length - 1; index >= 0; index--) {
      const inner = this.arrived[index] as Ingredient
      if (inner.until < since) break
      consider(inner)
    }
    return limited
  }

  private forgetOne(): void {
    const oldest = this.arrived.shift() ?? (this.onTheirWay.values().next().value as Ingredient)
    this.onTheirWay.delete(oldest)
    const { until, fence } = oldest
    this.forgotten = {
      // One that is still on its way has been so for long, and is as good as arrived.
      until: Math.max(this.forgotten.until, until === Infinity ? localNow() : until),
      fence: Math.min(this.forgotten.fence, fence),
    }
  }
}
