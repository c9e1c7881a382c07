import { type Clock, NEVER, parseMicros, type ServerMicros } from './units'

/**
 * What is remembered of one tag.
 *
 * Stored in the tag-state HASH as decimal numbers separated by spaces: the hard clock, then the soft
 * invalidations as pairs of clock and deadline, oldest first. `runtime/store/scripts/lua.ts` holds the same
 * rules in Lua; test/integration/tag-state-script.test.ts runs both against each other.
 */
export interface TagRecord {
  /** Clock of the newest hard invalidation; 0: none. */
  readonly hard: Clock
  /** Soft (profile) invalidations whose deadline had not passed at the last write, in growing clock and deadline. */
  readonly soft: readonly SoftInvalidation[]
}

export interface SoftInvalidation {
  readonly clock: Clock
  /** When it turns hard. */
  readonly deadline: ServerMicros
}

/** One tag of an invalidation: hard, or soft until `windowMicros` from now (NEVER: soft for good). */
export interface TagChange {
  readonly tag: string
  readonly windowMicros: number | undefined
}

export const NO_RECORD: TagRecord = { hard: 0, soft: [] }

/**
 * More soft windows than this on one tag are merged, the two oldest first, towards the earlier deadline and
 * the newer clock: that can only cost a miss.
 */
export const MAX_SOFT_WINDOWS = 4

export function parseTagRecord(text: string): TagRecord | undefined {
  const parts = text.split(' ')
  if (parts.length % 2 !== 1 || parts.length > 1 + 2 * MAX_SOFT_WINDOWS) return undefined
  const numbers: number[] = []
  for (const part of parts) {
    const value = parseMicros(part)
    if (value === undefined) return undefined
    numbers.push(value)
  }
  const soft: SoftInvalidation[] = []
  for (let i = 1; i < numbers.length; i += 2) {
    soft.push({ clock: numbers[i] as number, deadline: numbers[i + 1] as number })
  }
  return { hard: numbers[0] as number, soft }
}

export function formatTagRecord(record: TagRecord): string {
  const parts: number[] = [record.hard]
  for (const { clock, deadline } of record.soft) parts.push(clock, deadline)
  return parts.join(' ')
}

/** The record after one more invalidation at `clock`; in whatever order they come, the result is the same. */
export function applyInvalidation(
  record: TagRecord,
  clock: Clock,
  windowMicros: number | undefined,
  now: ServerMicros,
): TagRecord {
  if (windowMicros === undefined || windowMicros <= 0)
    return normalRecord(Math.max(record.hard, clock), record.soft, now)
  const deadline = Math.min(NEVER, now + windowMicros)
  return normalRecord(record.hard, [...record.soft, { clock, deadline }], now)
}

/** What both records say. */
export function mergeRecords(a: TagRecord, b: TagRecord, now: ServerMicros): TagRecord {
  return normalRecord(Math.max(a.hard, b.hard), [...a.soft, ...b.soft], now)
}

/** Windows that have passed are hard; what a newer invalidation covers has nothing left to say. */
function normalRecord(hardest: Clock, windows: readonly SoftInvalidation[], now: ServerMicros): TagRecord {
  let hard = hardest
  for (const { clock, deadline } of windows) if (deadline <= now) hard = Math.max(hard, clock)
  const pending = windows.filter(({ clock }) => clock > hard)
  pending.sort((a, b) => a.clock - b.clock || b.deadline - a.deadline)
  let soft: SoftInvalidation[] = []
  for (const window of pending) {
    // Newer, and hard no later: it covers all that the older one covers.
    while ((soft.at(-1)?.deadline ?? 0) >= window.deadline) soft.pop()
    soft.push(window)
  }
  while (soft.length > MAX_SOFT_WINDOWS) {
    const [first, second, ...rest] = soft as [SoftInvalidation, SoftInvalidation, ...SoftInvalidation[]]
    soft = [{ clock: second.clock, deadline: first.deadline }, ...rest]
  }
  return { hard, soft }
}

/** Clock of the newest invalidation that the record holds: its age. */
export function newestClock({ hard, soft }: TagRecord): Clock {
  return Math.max(hard, soft.at(-1)?.clock ?? 0)
}

/** Fresh: serve. Stale: serve, and refresh. Expired: must not be served. */
export type Verdict = 'fresh' | 'stale' | 'expired'

/** What one tag says about content whose generation knew everything up to `fence`. */
export function judgeTag(record: TagRecord, fence: Clock, now: ServerMicros): Verdict {
  if (record.hard > fence) return 'expired'
  let verdict: Verdict = 'fresh'
  for (const { clock, deadline } of record.soft) {
    if (clock <= fence) continue
    if (deadline <= now) return 'expired'
    verdict = 'stale'
  }
  return verdict
}

/** The tag state as one reply told it, for the tags that were asked for. */
export interface TagView {
  /** The server's forward-only clock at the reply. */
  readonly clock: Clock
  /** Entries whose fence is below it are not valid, whatever their tags say. */
  readonly floor: Clock
  /** Changes whenever the state was created anew. */
  readonly incarnation: string
  /** Tags without a record are absent. */
  readonly records: ReadonlyMap<string, TagRecord>
}

/** The one rule: what the tag state says about an entry with these tags. */
export function judge(view: TagView, fence: Clock, tags: Iterable<string>, now: ServerMicros): Verdict {
  if (fence < view.floor) return 'expired'
  let verdict: Verdict = 'fresh'
  for (const tag of tags) {
    const record = view.records.get(tag)
    if (record === undefined) continue
    const said = judgeTag(record, fence, now)
    if (said === 'expired') return 'expired'
    if (said === 'stale') verdict = 'stale'
  }
  return verdict
}

/**
 * What the tag state says about a page that the build prerendered. A state that is younger than the build knows
 * nothing of the time between: such a page is stale, served while one replica refreshes it. But when the state
 * was lost while this process lived, what was lost may have been an acknowledged invalidation of the page.
 *
 * @param knownSince the first clock that this process observed
 */
export function judgePrerendered(
  view: TagView,
  fence: Clock,
  tags: Iterable<string>,
  now: ServerMicros,
  knownSince: Clock,
): Verdict {
  if (view.floor > knownSince) return 'expired'
  const verdict = judge({ ...view, floor: 0 }, fence, tags, now)
  return verdict === 'fresh' && fence < view.floor ? 'stale' : verdict
}
