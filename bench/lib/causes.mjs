// Why a row is behind what a goal wants, and what was tried about it: the first entry whose pattern a check fits. A row without one
// is listed as such. What was tried is told with its figures in docs/performance.md, "Tried"; here is the short of it.
//
// goals: those of goals.mjs by number, counted from 1. rows: fits what a check says it is about.

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
      'A bare `GET` hands over bytes. A read here also asks for the tags of the entry, checks and decodes the record, judges it by its tags and builds what Next.js wants, a stream or a page. At 50 KB most of that is the checksum, the stream and the collections of what both allocate; bytes of Redis are never trusted unchecked. "The contract alone" is what is left of the bare driver when only that is done which no handler can leave out (`bench/subjects/contract.mjs`): the same `GET`, one look at the tags per turn, a checksum, a stream or a page. Where it is below the goal, one `GET` per read cannot reach the goal; reading several keys in one exchange can pass it, as ours does over `redis` at 1 KB.',
    tried:
      'Reads of one turn share one exchange, 64 keys in a batch, one promise for the replies of a batch, names of keys remembered, one string for the commands of a batch, one `await` per read (1 KB: 12.6 to 9.1 µs of CPU beside 4.5 of the bare driver): kept. Large replies in memory of their own size (ioredis, 50 KB: 15 percent of the CPU, half of the full collections): kept. `setImmediate` for the batch, streams that let go of their bytes, smaller batches: no gain, not kept. A stream that is drained takes 5 µs by itself, more than a bare `GET` of ioredis. At 50 KB the bare process stays below the 8 MB of heap at which V8 begins to mark, ours does not. With 40 MB of live objects, as a Next.js server has, a read of ours costs the same as the contract alone (30 to 43 µs of CPU each), and the bare driver between 17 and 100 from one second to the next, by what the collector does: too much luck to measure in. The rows are taken in empty heaps, where the bare driver is at its best.',
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
    tried:
      'The claim travels with the read: one round trip instead of two (at 1 ms from Redis 2.6 to 1.3 ms; on loopback 0.104 to 0.075). Fewer promises, and a shorter answer to a claim: 49 to 44 µs, where a bare pipeline of the same three commands takes 30 and a bare `GET` 18.',
  },
  {
    id: 'write-is-ordered',
    goals: [3],
    rows: /: (use cache|cacheHandler), write, /,
    cause:
      'A write must not bring back what is older than an invalidation: a script compares its fence with that of the record that is there, ends the lease and wakes whoever waits. Packages that are ahead send plain commands.',
    tried:
      'The record goes by `SET` under a name of its own, which the script renames, since Lua hashes what it is given (68 to 17 µs of Redis at 50 KB); what was written is not decoded again; chunks of pages go to the socket as they are (half of the CPU): kept. Those of `use cache` are copied once, since React shares them with the page; most of what is left is the collection of that copy, and of what Next.js hands over.',
  },
  {
    id: 'invalidation-is-recorded',
    goals: [3],
    rows: /: (use cache|cacheHandler), invalidate, /,
    cause:
      'An invalidation moves the clock of the tag state, merges the record of each tag, forgets some old records and tells every replica, by one script in one round trip. A package that is ahead sets one field, and leaves to its readers whether they hear of it. The class of another deletes what carries the tag; in this row there is nothing left from its second call on, and it returns without asking Redis (0.04 and less).',
    tried:
      'Two old records are looked at instead of eight, and a plain one without a loop of patterns (Redis: 59.7 to 28 µs and 20.4 to 11.9 µs with 1,000 tags): kept. One `HSET` for all tags (5 tags: 16.1 to 11.9 µs), fewer promises (p50 42 to 39.6 µs): kept. Without the check of the type: 0.5 µs, not kept.',
  },
  {
    id: 'modules-of-a-start',
    goals: [3, 8],
    rows: /start: |: ms of CPU$/,
    cause: 'The driver and the modules of the runtime are found, read and compiled before the first request.',
    tried:
      'Files joined into seven, `@redis/client` alone, the driver a turn later: kept. Minified, or compiled lazily: no difference. The driver itself (35 to 45 ms of ioredis) is what is left.',
  },
  {
    id: 'handler-is-imported',
    goals: [3, 4],
    rows: /warm page \(ISR\)/,
    cause:
      'Next.js imports the file of a `cacheHandler` three times per request wherever one is configured. With `DISTRIBUTED_CACHE=off`, which puts its own handler behind the same entry, the page reaches 0.85 of stock; with those imports remembered, in a patched copy of Next.js, `l1-pubsub` reaches 0.98. While a handler waits, Next.js joins the requests for one page that come meanwhile.',
    tried:
      'The driver made every ETag of Next.js take five times as long (ioredis says `class … extends String`): undone, 0.49 to 0.86 of stock. Who reads what this turn of the event loop has answered already waits for its end, and is joined (0.74 to about 1 of stock): kept; who is alone never waits.',
  },
  {
    id: 'render-is-the-row',
    goals: [3, 4],
    rows: /page with use cache/,
    cause:
      'Rendering is nearly all of the row: of the CPU time of `l1-pubsub` 1.5 percent are ours. The same imports as of the warm page are in it.',
    tried: 'What was tried for the warm page.',
  },
  {
    id: 'cold-page-is-claimed',
    goals: [3, 4],
    rows: /cold page/,
    cause:
      'Rendering is most of the row. A cold page is read and claimed, and so is the `use cache` in it; both are stored with fence and tags. A package that claims nothing, or keeps pages in each replica, has less to do; its replicas then render each for itself. A profile of 400 pages shows 1.1 ms of our code and the driver, spread over all that runs four times per page, and 0.9 more of sockets, where stock spends 1.2 on its files; the rest of the difference are collections.',
    tried:
      'Claims travel with reads: two round trips less in series before the first byte. Not to wait for the write of the page, and one write for all that a turn sends over ioredis: not kept (see "Applications" and "Misses"). Encoding, hashing and timers are 0.2 percent each: nothing to gain.',
  },
  {
    id: 'small-record',
    goals: [5],
    rows: /, 1 KB: /,
    cause:
      'What surrounds a value does not shrink with it: a head of 37 bytes (order, times, lengths, checksum) and metadata as JSON; with five tags, the tags and the head alone are nearly a tenth of 1 KB. From 50 KB on the record is within the bound of the value alone.',
    tried:
      'Tags and life are stored once, not again in the headers of a page; tags as one string: 1.39 to 1.26 and 1.16 to 1.15 of the value alone. A head of 37 bytes instead of 48, metadata without names: 1.18 and 1.11.',
  },
  {
    id: 'one-processor-or-two',
    goals: [6],
    rows: /foreign keys/,
    cause:
      'One read at a time takes 40 to 50 µs for a whole repetition, or twice as long on both sides, by whether the scheduler has put the process and its server on one of the two processors. A median falls on one or the other, whatever the number of keys.',
    tried:
      'Both on one processor (`taskset`): 47 and 38 µs in each of twelve repetitions, with no foreign keys and with 100,000. Sixteen at a time, as the row is taken since this run: with 1,000,000 keys 0.93 (`use cache`) and 1.01 (`cacheHandler`) of none, in five repetitions of the row alone. In a run of the whole level with the row so (`npm run bench -- --level scale`, [scale.json](../bench/results/scale.json)) all 6 figures of the goal are met.',
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
