import { type Entry, judgeAge } from '../../src/entry'
import { HEAD_BYTES } from '../../src/record'
import { localNow } from '../../src/server-time'
import type { Bid, Store } from '../../src/store'
import { judge, judgePrerendered, type TagView, type Verdict } from '../../src/tag-state'
import type { Clock, LocalMillis, Seconds, ServerMicros } from '../../src/units'
import type { Tier } from '../telemetry'
import type { Journal } from './journal'
import type { HeldEntry } from './local-entries'

export interface ReadOptions {
  /** Tags whose soft invalidations make the entry stale, besides its own. */
  readonly tags?: readonly string[]
  /** Tags of which only what is expired counts: the soft tags of `use cache`, as in Next. */
  readonly expiringTags?: readonly string[]
  /** The reader's own idea of when the entry wants a refresh. */
  readonly revalidate?: Seconds | undefined
  /** What to claim if the store has no record. */
  readonly bid?: Bid | undefined
}

export interface JudgedRead {
  /** Present when no tag forbids to serve it. */
  readonly entry: HeldEntry | undefined
  /** What the tags say; undefined when there is no entry. */
  readonly verdict: Verdict | undefined
  /** What the age says; Next judges it again. */
  readonly age: Verdict | undefined
  /** The fence of a generation that begins with this answer; undefined when the store did not answer. */
  readonly clock: Clock | undefined
  readonly tier: Tier
  /** Head of the record that was found, whatever it is worth; empty: none. */
  readonly stamp: Buffer
}

/** More than clocks of servers differ, and than the jitter of a TTL. */
const DAY_MICROS: ServerMicros = 24 * 3600 * 1_000_000
const NO_RECORD_FOUND = Buffer.alloc(0)
const NO_TAGS: readonly string[] = []

export const NO_ANSWER: JudgedRead = {
  entry: undefined,
  verdict: undefined,
  age: undefined,
  clock: undefined,
  tier: 'none',
  stamp: NO_RECORD_FOUND,
}

export interface JudgeOptions {
  readonly store: Pick<Store, 'toServer' | 'firstClock'>
  /** Invalidations of this process that the store does not know of. */
  readonly journal: Pick<Journal, 'judge'>
  /** Nothing of ours lives longer. */
  readonly maxTtlSeconds: Seconds
}

/** What tags, age and the journal say of an entry that was found. */
export class Judge {
  constructor(private readonly parts: JudgeOptions) {}

  /**
   * Times far ahead of the server's were not written by us: they must not drag the clock along, or look young
   * for ever. What is older than the longest life was kept, or put back, by somebody else: the tag state may have
   * forgotten what invalidated it.
   */
  isPlausible({ fence, bornAt, modifiedAt }: Entry, clock: Clock): boolean {
    const now = this.parts.store.toServer(localNow())
    const latest = now + DAY_MICROS
    if (bornAt > latest || modifiedAt > latest || fence > Math.max(clock, latest)) return false
    return bornAt > now - this.parts.maxTtlSeconds * 1_000_000 - DAY_MICROS
  }

  /** @param own the tags of the entry */
  read(
    entry: HeldEntry,
    own: readonly string[],
    view: TagView,
    options: ReadOptions,
    tier: Tier,
    at: LocalMillis,
  ): JudgedRead {
    const { journal, store } = this.parts
    const now = store.toServer(at)
    const age = judgeAge(entry, now, options.revalidate)
    const { expiringTags = NO_TAGS } = options
    const tags = allTags(own, options.tags)
    let verdict = this.said(entry, view, tags, now)
    if (expiringTags.length > 0 && this.said(entry, view, expiringTags, now) === 'expired')
      verdict = 'expired'
    if (verdict === 'stale' && entry.retryAt > now) {
      const { fence, retryFence = fence } = entry
      // Only what happened since the refresh failed is a reason to try again before the time.
      verdict = judge({ ...view, floor: 0 }, retryFence, tags, now)
    }
    const journalled = journal.judge(tags)
    if (journalled === 'expired' || journal.judge(expiringTags) === 'expired') verdict = 'expired'
    else if (journalled === 'stale' && verdict === 'fresh') verdict = 'stale'
    return {
      entry: verdict === 'expired' ? undefined : entry,
      verdict,
      age,
      clock: view.clock,
      tier,
      stamp: entry.stamp,
    }
  }

  private said(entry: Entry, view: TagView, tags: readonly string[], now: ServerMicros): Verdict {
    return entry.fromBuild
      ? judgePrerendered(view, entry.fence, tags, now, this.parts.store.firstClock)
      : judge(view, entry.fence, tags, now)
  }
}

/** What the store has is no answer. */
export function missed({ clock }: TagView, bytes: Buffer | null | 'unchanged'): JudgedRead {
  const stamp = bytes === null || bytes === 'unchanged' ? NO_RECORD_FOUND : bytes.subarray(0, HEAD_BYTES)
  return { entry: undefined, verdict: undefined, age: undefined, clock, tier: 'store', stamp }
}

/** All of them, in one list. A tag of two lists stays twice: the store asks Redis for each once. */
export function allTags(
  own: readonly string[],
  more: readonly string[] = NO_TAGS,
  evenMore: readonly string[] = NO_TAGS,
): readonly string[] {
  if (more.length === 0 && evenMore.length === 0) return own
  return own.concat(more, evenMore)
}
