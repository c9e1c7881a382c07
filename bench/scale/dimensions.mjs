// What figures may grow with, while everything else stays. The sizes of a dimension are measured in turn, in one
// process each, so that its growth is a ratio of neighbours.
import { cellOf } from '../handler/cells.mjs'
import { addForeignKeys } from '../handler/redis-facts.mjs'
import { fillEntries } from './fill-entries.mjs'

const KiB = 1024
/** Filling takes others minutes beyond that, and some of them as long to invalidate or to read. */
const MAX_ENTRIES_OF_PEERS = 10_000
const MAX_FOREIGN_KEYS_OF_PEERS = 100_000

/** Of what takes minutes to fill and grows a hundredfold. */
const FEW_REPETITIONS = 2

/** Operations after which V8 has its compiled code again. */
const AWAKE = { ms: 100, minOps: 2_000, limitMs: 800 }

const isOurs = ({ subject }) => subject.kind === 'ours'

/** A tag of its own for each size: all of them are there at once. */
const entriesCell = (api, count) => ({
  ...cellOf(api, 'invalidate', { bytes: KiB, tags: 1, concurrency: 1 }),
  name: `${api}, ${count} entries`,
  tags: [`scale-${count}`],
  keys: 1,
})

const entries = {
  what: 'entries under the tag',
  op: 'invalidate',
  sizes: { quick: [10, 1_000, 100_000], full: [10, 1_000, 10_000, 100_000, 1_000_000] },
  cellOf: entriesCell,
  fits: (member, count) => isOurs(member) || count <= MAX_ENTRIES_OF_PEERS,
  async prepare(member, api, sizes) {
    await member.admin.flushall()
    if (isOurs(member)) for (const count of sizes) await fillEntries(member, entriesCell(api, count), count)
  },
  async before(member, api, count) {
    const cell = entriesCell(api, count)
    if (isOurs(member)) return member.ask('use', { cell })
    // Some remove what they invalidate: there would be nothing left to do the next time.
    await member.admin.flushall()
    return fillEntries(member, cell, count)
  },
  repetitionsOf: (member, wanted) => (isOurs(member) ? wanted : Math.min(wanted, FEW_REPETITIONS)),
  /** Local memory takes part: what it has to forget is forgotten by the same call. */
  withLocalMemory: true,
  /** Ours leaves the entries where they are, and can do it again. */
  run: (member) => (isOurs(member) ? { ms: 50, minOps: 500, limitMs: 5_000 } : { ms: 0 }),
}

/**
 * One at a time takes 40 to 50 µs or twice as long for a whole repetition, by whether the scheduler has put the process
 * and its server on one processor; several at a time keep both busy wherever they are.
 */
const SEVERAL = 16

const foreignCell = (api) => ({
  ...cellOf(api, 'conditional read', { bytes: KiB, tags: 1, concurrency: SEVERAL }),
  keys: 4,
})

const foreignKeys = {
  what: 'foreign keys',
  op: 'conditional read',
  sizes: { quick: [0, 100_000], full: [0, 10_000, 100_000, 1_000_000] },
  cellOf: foreignCell,
  fits: (member, count) => isOurs(member) || count <= MAX_FOREIGN_KEYS_OF_PEERS,
  async prepare() {},
  async before({ admin, ask }, api, count) {
    await admin.flushall()
    await addForeignKeys(admin, count)
    await ask('prepare', { cell: foreignCell(api) })
    // The process idled while the keys were made, and has to wake up: docs/performance.md, "Method".
    await ask('run', { ...AWAKE, concurrency: SEVERAL })
  },
  run: (_member, quick) => ({ ms: 100, minOps: quick ? 100 : 1_000, limitMs: 1_000 }),
}

const payload = (op) => ({
  what: 'payload',
  op,
  isByte: true,
  sizes: { quick: [], full: [KiB, 50 * KiB, 500 * KiB, 2 * KiB * KiB] },
  cellOf: (api, bytes) => cellOf(api, op, { bytes, concurrency: 1 }),
  fits: () => true,
  async prepare(member, api, sizes) {
    await member.admin.flushall()
    for (const bytes of sizes) await member.ask('prepare', { cell: this.cellOf(api, bytes) })
  },
  before: ({ ask }, api, bytes) => ask('use', { cell: cellOf(api, op, { bytes, concurrency: 1 }) }),
  run: () => ({ ms: 150, minOps: 100, limitMs: 1_000 }),
})

export const DIMENSIONS = [
  entries,
  foreignKeys,
  payload('read hit'),
  payload('conditional read'),
  payload('write'),
]
