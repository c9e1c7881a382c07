import { localNow } from '../../src/server-time'
import {
  applyInvalidation,
  mergeRecords,
  newestClock,
  NO_RECORD,
  type TagChange,
  type TagRecord,
} from '../../src/tag-state'
import type { Clock, LocalMillis, Milliseconds, ServerMicros } from '../../src/units'

/** Replication that lags further behind than this has other troubles. */
const REMEMBERED_MS: Milliseconds = 60_000
const MAX_TAGS = 5_000

/** What a server that replaces the one before may not know of. */
export interface RecentInvalidations {
  readonly records: readonly (readonly [tag: string, record: TagRecord])[]
  /** The floor that was raised to invalidate everything; 0: it was not. */
  readonly floor: Clock
  /**
   * The newest clock of those that were forgotten for want of room; 0: none were. A replica holds a prefix of its
   * primary's history: it may lack them only if it lacks what came after them, too.
   */
  readonly forgotten: Clock
}

/**
 * The invalidations that this process knows to be acknowledged, of the last minute: its own, and those that it
 * heard of. After a failover it tells the new primary, which may have been promoted before they reached it.
 */
export class Acknowledged {
  private readonly tags = new Map<string, { record: TagRecord; at: LocalMillis }>()
  private floor: { clock: Clock; at: LocalMillis } = { clock: 0, at: 0 }
  private forgotten: { clock: Clock; at: LocalMillis } = { clock: 0, at: 0 }

  /** @param now server time of the invalidation */
  remember(clock: Clock, now: ServerMicros, changes: readonly TagChange[]): void {
    const at = localNow()
    for (const { tag, windowMicros } of changes) {
      const known = this.tags.get(tag)?.record ?? NO_RECORD
      const record = mergeRecords(known, applyInvalidation(NO_RECORD, clock, windowMicros, now), now)
      // The order of the map is that of the last invalidation of each tag.
      this.tags.delete(tag)
      this.tags.set(tag, { record, at })
    }
    for (const [tag, oldest] of this.tags) {
      if (at - oldest.at <= REMEMBERED_MS) {
        if (this.tags.size <= MAX_TAGS) break
        this.forgotten = { clock: Math.max(this.forgotten.clock, newestClock(oldest.record)), at: oldest.at }
      }
      this.tags.delete(tag)
    }
  }

  rememberFloor(clock: Clock): void {
    this.floor = { clock, at: localNow() }
  }

  /** Undefined when the last minute saw none. */
  recent(): RecentInvalidations | undefined {
    const since = localNow() - REMEMBERED_MS
    const records: [string, TagRecord][] = []
    for (const [tag, { record, at }] of this.tags) if (at >= since) records.push([tag, record])
    const floor = this.floor.at >= since ? this.floor.clock : 0
    const forgotten = this.forgotten.at >= since ? this.forgotten.clock : 0
    return records.length === 0 && floor === 0 ? undefined : { records, floor, forgotten }
  }
}
