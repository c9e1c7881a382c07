import { decodeEntry, type Entry, type EntryFormat } from '../../src/entry'
import { localNow } from '../../src/server-time'
import type { RecordFault } from '../../src/record'
import type { Store, StoredBytes } from '../../src/store'
import type { TagView } from '../../src/tag-state'
import type { Clock, LocalMillis } from '../../src/units'
import type { Bus } from '../bus/bus'
import type { Emit, Tier } from '../telemetry'
import { DamagedHeads } from './damaged-heads'
import type { Journal } from './journal'
import {
  allTags,
  Judge,
  type JudgedRead,
  type JudgeOptions,
  missed,
  NO_ANSWER,
  type ReadOptions,
} from './judge'
import { KnownKeys } from './known-keys'
import type { HeldEntry, LocalEntries, Proof } from './local-entries'
import type { RequestBudget } from './request-budget'
import { TagMemo } from './tag-memo'
import type { LocalTagView } from './tag-view'

/** What to judge where the store has no record, given the clock that it told. */
export type InsteadOfNone = (clock: Clock) => Promise<Entry | undefined>

export interface EntryReaderOptions extends JudgeOptions {
  readonly store: Store
  readonly local: LocalEntries
  readonly view: LocalTagView
  /** Present in `l1-pubsub`: what is proven is served without a round trip. */
  readonly bus: Bus | undefined
  readonly journal: Pick<Journal, 'judge' | 'settled'>
  readonly format: EntryFormat
  readonly emit: Emit
}

const NO_TAGS: readonly string[] = []
/** What the memory of a record may be larger than it: a driver leaves the length before it, and the line end. */
const MAX_SURPLUS_BYTES = 32

/** What a read asks the store for, and why. */
interface Question {
  readonly key: string
  readonly options: ReadOptions
  readonly budget: RequestBudget
  readonly insteadOfNone: InsteadOfNone | undefined
  readonly held: HeldEntry | undefined
  /** The tags of the entry, as far as it was seen before. */
  readonly known: readonly string[]
  /** These, and those of the reader. */
  readonly asked: readonly string[]
  readonly proof: Proof
}

/**
 * One judged read: from memory while the bus proves it, else one round trip. Whatever need not wait is not
 * asynchronous: each layer of a read costs it a promise, and a turn of the microtask queue.
 */
export class EntryReader {
  private readonly memo = new TagMemo()
  private readonly keys = new KnownKeys()
  private readonly heads = new DamagedHeads()
  private readonly judge: Judge

  constructor(private readonly parts: EntryReaderOptions) {
    this.judge = new Judge(parts)
  }

  /** An entry of ours went to the store: its tags are asked for with the next read. */
  written(key: string, tags: readonly string[]): void {
    // Whoever wrote them may change them.
    this.memo.set(key, [...tags])
    this.keys.add(key)
    this.heads.gone(key)
  }

  /** Counts what is under a key as damaged, and has the next write replace it. */
  damaged(key: string, record: Uint8Array, fault: RecordFault): void {
    this.parts.local.drop(key)
    this.heads.found(key, record)
    this.parts.emit('fault', { key, fault })
  }

  damagedHead(key: string): Buffer | undefined {
    return this.heads.get(key)
  }

  /** Whether the store had an entry when this process last heard of it. */
  expects(key: string): boolean {
    return this.keys.has(key)
  }

  /** @throws what the store rejects with */
  async read(
    key: string,
    options: ReadOptions,
    budget: RequestBudget,
    insteadOfNone?: InsteadOfNone,
  ): Promise<JudgedRead> {
    const { bus, journal, local, store } = this.parts
    for (let attempt = 0; attempt < 3; attempt++) {
      const { settled } = journal
      const recalled = bus && this.recall(key, options, localNow())
      if (recalled !== undefined) return recalled
      const question = this.question(key, options, budget, insteadOfNone)
      const { asked, held } = question
      // The build may have what the store has not.
      const bid = held === undefined && insteadOfNone === undefined ? options.bid : undefined
      try {
        let stored: StoredBytes
        budget.begin()
        try {
          stored = await store.read(key, asked, held?.stamp, budget, bid)
        } finally {
          budget.end()
        }
        const answer = this.answer(question, stored)
        const read = answer instanceof Promise ? await answer : answer
        // What left the journal while we read may have reached the store too late for our reply.
        if (journal.settled === settled) return read
      } finally {
        local.end(key, question.proof)
      }
    }
    return NO_ANSWER
  }

  /** What memory may answer by itself, at once: the bus proves it. Undefined: the store has to be asked. */
  recall(key: string, options: ReadOptions, now: LocalMillis): JudgedRead | undefined {
    if (!this.parts.bus?.provenAt(now)) return undefined
    const read = this.fromMemory(key, options, now)
    // What wants a refresh may have had one elsewhere.
    return read?.verdict === 'fresh' && read.age === 'fresh' ? read : undefined
  }

  /**
   * What memory holds when the store cannot be asked, for as long as everybody else might take it for current: a
   * subscription that died is no worse than one that died in silence. The clock that comes with it is the one
   * up to which the bus told everything, so that what is made of it is fenced as if the bus had stayed alive.
   */
  readWithinGrace(key: string, options: ReadOptions): JudgedRead | undefined {
    return this.parts.bus?.withinGrace ? this.fromMemory(key, options, localNow()) : undefined
  }

  /** What memory holds, whatever was invalidated since it was proven. */
  readUnproven(key: string): HeldEntry | undefined {
    return this.parts.local.get(key)
  }

  private fromMemory(key: string, options: ReadOptions, now: LocalMillis): JudgedRead | undefined {
    const { bus, store, local, view } = this.parts
    // A reply that is ahead of the bus makes memory unproven until the bus catches up.
    if (bus === undefined || bus.clock < store.latestClock) return undefined
    const entry = local.getProven(key)
    if (entry === undefined) return undefined
    const { tags = NO_TAGS, expiringTags = NO_TAGS } = options
    const known = view.view(bus.clock, entry.fence, entry.tags, tags, expiringTags)
    if (known === undefined || entry.fence > known.clock) return undefined
    return this.judge.read(entry, entry.tags, known, options, 'local', now)
  }

  private question(
    key: string,
    options: ReadOptions,
    budget: RequestBudget,
    insteadOfNone: InsteadOfNone | undefined,
  ): Question {
    const { local } = this.parts
    const known = this.memo.get(key)
    const asked = allTags(known, options.tags, options.expiringTags)
    const held = local.get(key)
    return { key, options, budget, insteadOfNone, held, known, asked, proof: local.begin(key) }
  }

  private answer(question: Question, stored: StoredBytes): JudgedRead | Promise<JudgedRead> {
    const { bytes, view } = stored
    if (bytes === null) return this.answerInstead(question, view)
    this.keys.add(question.key)
    const entry = bytes === 'unchanged' ? question.held : this.decode(question.key, bytes)
    return entry instanceof Promise
      ? entry.then((decoded) => this.found(question, decoded, stored))
      : this.found(question, entry, stored)
  }

  private answerInstead(question: Question, view: TagView): JudgedRead | Promise<JudgedRead> {
    const { key, insteadOfNone } = question
    this.parts.local.drop(key)
    this.keys.delete(key)
    if (insteadOfNone === undefined) return missed(view, null)
    return insteadOfNone(view.clock).then((entry) =>
      entry === undefined ? missed(view, null) : this.judged(question, entry, 'build', view),
    )
  }

  private found(
    question: Question,
    entry: HeldEntry | undefined,
    { bytes, view }: StoredBytes,
  ): JudgedRead | Promise<JudgedRead> {
    if (entry === undefined) return missed(view, bytes)
    if (!this.judge.isPlausible(entry, view.clock)) {
      this.damaged(question.key, entry.stamp, 'time')
      return missed(view, entry.stamp)
    }
    return this.judged(question, entry, bytes === 'unchanged' ? 'unchanged' : 'store', view)
  }

  private judged(
    question: Question,
    entry: HeldEntry,
    tier: Tier,
    view: TagView,
  ): JudgedRead | Promise<JudgedRead> {
    const own = this.memo.set(question.key, entry.tags)
    const lacksTags = own !== question.known && hasMore(own, question.asked)
    if (lacksTags || entry.fence > view.clock) return this.judgedLater(question, entry, own, tier, view)
    return this.judgedBy(view, question, question.asked, entry, own, tier)
  }

  /** The reply did not say enough. */
  private async judgedLater(
    question: Question,
    entry: HeldEntry,
    own: readonly string[],
    tier: Tier,
    told: TagView,
  ): Promise<JudgedRead> {
    const { store } = this.parts
    const { options, budget } = question
    const { fence } = entry
    const asked = allTags(own, options.tags, options.expiringTags)
    let view = told
    if (hasMore(own, question.asked)) view = await budget.spend((patience) => store.readTags(asked, patience))
    if (fence > view.clock) view = await budget.spend((patience) => store.catchUp(fence, asked, patience))
    return this.judgedBy(view, question, asked, entry, own, tier)
  }

  private judgedBy(
    view: TagView,
    { key, options, proof }: Question,
    asked: readonly string[],
    entry: HeldEntry,
    own: readonly string[],
    tier: Tier,
  ): JudgedRead {
    const read = this.judge.read(entry, own, view, options, tier, localNow())
    if (this.learn(view, asked) && read.entry !== undefined && tier !== 'build')
      this.parts.local.keep(key, entry, proof)
    return read
  }

  /** Without a bus nothing carries on what a reply said, and the body alone is worth keeping. */
  private learn(view: TagView, asked: Iterable<string>): boolean {
    const { bus } = this.parts
    return bus === undefined || this.parts.view.learn(view, asked, bus.clock)
  }

  private decode(key: string, bytes: Buffer): Entry | undefined | Promise<Entry | undefined> {
    // A reply may be a slice of a larger buffer, full of what others asked for.
    const own = bytes.buffer.byteLength - bytes.length > MAX_SURPLUS_BYTES ? this.copyOf(bytes) : bytes
    const decoded = decodeEntry(key, own, this.parts.format)
    return decoded instanceof Promise
      ? decoded.then((found) => this.undamaged(key, own, found))
      : this.undamaged(key, own, decoded)
  }

  private undamaged(key: string, record: Buffer, found: Entry | RecordFault): Entry | undefined {
    if (typeof found !== 'string') return found
    this.damaged(key, record, found)
    return undefined
  }

  /** Only what is to be held needs memory that it shares with nobody; a piece of the pool costs half as much. */
  private copyOf(bytes: Buffer): Buffer {
    const { length } = bytes
    const copy = this.parts.local.isOff ? Buffer.allocUnsafe(length) : Buffer.allocUnsafeSlow(length)
    bytes.copy(copy)
    return copy
  }
}

function hasMore(tags: readonly string[], asked: readonly string[]): boolean {
  const known = new Set(asked)
  return tags.some((tag) => !known.has(tag))
}
