import type { Entry } from '../../src/entry'
import type { EntryScope } from '../../src/key-names'
import { localNow } from '../../src/server-time'
import type { LocalMillis, Seconds } from '../../src/units'
import type { TelemetryEvents } from '../telemetry'
import type { LoadPrerendered } from './build-tier'
import type { JudgedRead, ReadOptions } from './judge'

/**
 * What a reader gets of an old entry that another replica refreshes. Masked: fresh, for a moment. As it is: the true
 * verdict, so that it refreshes, too. Waits: for the new one, because it would store the old one as a part of its own.
 */
export type Follower = 'masked' | 'as-it-is' | 'waits'

/**
 * What becomes of the lead for what was missing when the request is answered and nothing is on its way to the store.
 * It may follow: behind the response Next may still work on it. Give back: another request may generate it. Failed:
 * nobody need wait for it, which is so with whatever an answer with an error leaves.
 */
export type AfterAnswer = 'mayFollow' | 'giveBack' | 'failed'

export interface CacheReadOptions extends ReadOptions {
  /** What the build prerendered under this key. */
  readonly prerendered?: LoadPrerendered | undefined
  /** Whatever data is in an entry of this kind gave it a tag or a life. */
  readonly showsItsData?: boolean
  readonly follower?: Follower
  /** Whether Next itself lets concurrent generations of one key in one process share one. */
  readonly dedupedByNext?: boolean
  /** When the reader generates. One that does not must not hold off, or wait for, those who do. */
  readonly generates?: 'always' | 'whenMissing' | 'whenOld'
  /** What the end of the request says of what was missing and is not stored; undefined: nothing (`Cache.answered`). */
  readonly afterAnswer?: AfterAnswer | undefined
  /** Identifies the request on whose behalf this is read; undefined: not known. */
  readonly request?: object | undefined
}

export interface CacheRead extends JudgedRead {
  /** Serve the entry as fresh, with this much life left: somebody else refreshes it. */
  readonly maskSeconds?: Seconds
}

/** Missing, stale by a tag, or old: somebody should generate it. */
export function wantsGeneration({ entry, verdict, age }: JudgedRead): boolean {
  return entry === undefined || verdict !== 'fresh' || age !== 'fresh'
}

/**
 * Made of code alone: to render it again would show the same, whatever was invalidated. Implicit tags, those of the
 * route, are on every page; of what has no tag at all Next told us nothing.
 */
export function isCodeAlone({ revalidate, expire, tags }: Entry): boolean {
  if (revalidate !== Infinity || expire !== Infinity || tags.length === 0) return false
  return tags.every((tag) => tag.startsWith('_N_T_/'))
}

/** Whether this reader is the one to generate what it found missing, or old. */
export function isGenerator({ entry, age }: JudgedRead, { generates = 'always' }: CacheReadOptions): boolean {
  if (generates === 'always') return true
  const isMissing = entry === undefined || age === 'expired'
  return isMissing === (generates === 'whenMissing')
}

/** What telemetry says of a read. */
export function readMessage(
  scope: EntryScope,
  key: string,
  read: CacheRead,
  startedAt: LocalMillis,
): TelemetryEvents['read'] {
  const { entry, verdict, tier } = read
  const result = entry === undefined ? 'miss' : 'hit'
  const masked = read.maskSeconds !== undefined
  return { scope, key, result, tier, verdict, masked, ms: localNow() - startedAt }
}
