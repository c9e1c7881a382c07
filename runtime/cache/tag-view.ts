import type { BusMessage } from '../../src/bus-message'
import { applyInvalidation, newestClock, NO_RECORD, type TagRecord, type TagView } from '../../src/tag-state'
import type { Clock } from '../../src/units'
import { dropOldest } from '../drop-oldest'

/** Tags whose state is remembered; past it, the one learnt first is forgotten, which costs a round trip. */
const MAX_TAGS = 50_000

const NO_RECORDS: ReadonlyMap<string, TagRecord> = new Map()

interface KnownTag {
  record: TagRecord
  /** The record holds every invalidation up to this clock. */
  asOf: Clock
}

/**
 * The tag state as this process knows it: what replies said of a tag, carried on by what the bus says since.
 * Complete for every tag that is known, up to the clock of the bus; a gap in the bus forgets all of them.
 */
export class LocalTagView {
  private readonly tags = new Map<string, KnownTag>()
  private floor: Clock = 0
  /** The view that says nothing of any tag. */
  private quiet: TagView = { clock: 0, floor: 0, incarnation: 'local', records: NO_RECORDS }

  /** Takes over what a reply said, unless the bus is ahead of it: then the reply misses something. */
  learn(view: TagView, asked: Iterable<string>, busClock: Clock): boolean {
    if (view.clock < busClock) return false
    this.floor = Math.max(this.floor, view.floor)
    for (const tag of asked) {
      this.tags.delete(tag)
      this.tags.set(tag, { record: view.records.get(tag) ?? NO_RECORD, asOf: view.clock })
      dropOldest(this.tags, MAX_TAGS)
    }
    return true
  }

  apply({ clock, now, changes }: Extract<BusMessage, { kind: 'invalidate' }>): void {
    for (const { tag, windowMicros } of changes) {
      const known = this.tags.get(tag)
      if (known === undefined || clock <= known.asOf) continue
      known.record = applyInvalidation(known.record, clock, windowMicros, now)
      // Not `asOf`: one message may change a tag twice.
    }
  }

  forget(): void {
    this.tags.clear()
  }

  /**
   * What is known of these tags that content with this fence does not know; undefined when one of them is not known.
   * Records that say nothing are left out, so that the usual answer is made of nothing.
   */
  view(
    clock: Clock,
    fence: Clock,
    tags: readonly string[],
    more: readonly string[],
    evenMore: readonly string[],
  ): TagView | undefined {
    let found: Map<string, TagRecord> | undefined
    for (let list = 0; list < 3; list++) {
      for (const tag of list === 0 ? tags : list === 1 ? more : evenMore) {
        const known = this.tags.get(tag)
        if (known === undefined) return undefined
        if (newestClock(known.record) <= fence) continue
        found ??= new Map()
        found.set(tag, known.record)
      }
    }
    const { floor } = this
    if (found !== undefined) return { clock, floor, incarnation: 'local', records: found }
    if (this.quiet.clock !== clock || this.quiet.floor !== floor)
      this.quiet = { clock, floor, incarnation: 'local', records: NO_RECORDS }
    return this.quiet
  }
}
