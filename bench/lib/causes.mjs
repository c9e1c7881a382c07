// Why a row is behind what a goal wants, and what was tried about it: the first entry whose pattern a check fits. A row without one
// is listed as such. What was tried is told with its figures in docs/performance.md, "Tried"; here is the short of it.
//
// goals: those of goals.mjs by number, counted from 1. rows: fits what a check says it is about.

const NOTHING = 'Nothing is on record.'

/** @type {{ id: string, goals: number[], rows: RegExp, cause: string, tried: string }[]} */
export const CAUSES = [
  {
    id: 'one-round-trip',
    goals: [3],
    rows: /: (use cache|cacheHandler), (read hit|conditional read), .* 1 at a time, 1 ms: /,
    cause:
      'Either side waits for one round trip, which is nearly all that the row measures. Twice as good would be possible against a package that takes two.',
    tried: 'Nothing: one round trip is the least.',
  },
  {
    id: 'read-hit-and-driver',
    goals: [1],
    rows: /read hit/,
    cause:
      'A bare `GET` hands over bytes. A read here also asks for the tags of the entry, checks and decodes the record, judges it by its tags and builds what Next.js wants, a stream or a page. At 50 KB most of that is the checksum, the stream and the collections of what both allocate; bytes of Redis are never trusted unchecked.',
    tried:
      'Reads of one turn share one exchange, 64 keys in a batch, one promise for the replies of a batch, names of keys remembered: kept. `setImmediate` for the batch, streams that let go of their bytes: no gain, not kept.',
  },
  {
    id: 'read-hit-and-packages',
    goals: [3],
    rows: /: (use cache|cacheHandler), read hit, /,
    cause:
      'The same work around the bytes as beside the bare driver, while the transfer of the body, which both sides pay, leaves less of the row to be ahead in.',
    tried: 'What was tried beside the bare driver.',
  },
  {
    id: 'miss-claims',
    goals: [3],
    rows: /: (use cache|cacheHandler), read miss, /,
    cause:
      'A miss asks who renders, so that one replica does: it claims the lease of its key, by a script. A package that renders wherever it misses is done with a plain read.',
    tried: NOTHING,
  },
  {
    id: 'write-is-ordered',
    goals: [3],
    rows: /: (use cache|cacheHandler), write, /,
    cause:
      'A write must not bring back what is older than an invalidation: a script compares its fence with that of the record that is there, ends the lease and wakes whoever waits. Packages that are ahead send plain commands.',
    tried:
      'The record goes by `SET` under a name of its own, which the script renames, since Lua hashes what it is given (68 to 17 µs of Redis at 50 KB); what was written is not decoded again: both kept.',
  },
  {
    id: 'invalidation-is-recorded',
    goals: [3],
    rows: /: (use cache|cacheHandler), invalidate, /,
    cause:
      'An invalidation moves the clock of the tag state, merges the record of each tag, forgets some old records and tells every replica, by one script in one round trip. A package that is ahead sets one field, and leaves to its readers whether they hear of it.',
    tried: NOTHING,
  },
  {
    id: 'modules-of-a-start',
    goals: [3, 8],
    rows: /start: |: ms of CPU$/,
    cause: 'The driver and the modules of the runtime are found, read and compiled before the first request.',
    tried: NOTHING,
  },
  {
    id: 'small-record',
    goals: [5],
    rows: /, 1 KB: /,
    cause:
      'What surrounds a value does not shrink with it: a head of 48 bytes (order, times, lengths, checksum) and metadata as JSON, with its names and punctuation; of a page the tags stand there twice, as such and in its headers. From 50 KB on the record is within the bound of the value alone.',
    tried: NOTHING,
  },
]

/** @returns {string | undefined} the id of the entry for a check of a goal */
export const causeOf = (goal, what) =>
  CAUSES.find(({ goals, rows }) => goals.includes(goal) && rows.test(what))?.id

export const NO_CAUSE = 'no cause is on record'

/** Checks that are not met, by cause, in the order of CAUSES; those without one come last. */
export function missedByCause(verdict) {
  const missed = verdict.flatMap(({ goal, checks }) =>
    checks.filter(({ met }) => !met).map((check) => ({ goal, ...check })),
  )
  const groups = [...CAUSES, { id: undefined }].map((entry) => ({
    ...entry,
    checks: missed.filter(({ cause }) => cause === entry.id),
  }))
  return groups.filter(({ checks }) => checks.length > 0)
}
