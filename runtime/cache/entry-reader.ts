import { decodeEntry, type Entry, type EntryFormat, judgeAge } from '../../src/entry'
import { localNow } from '../../src/server-time'
import { HEAD_BYTES, type RecordFault } from '../../src/record'
import type { Bid, Store } from '../../src/store'
import { judge, judgePrerendered, type TagView, type Verdict } from '../../src/tag-state'
import type { Clock, LocalMillis, Seconds, ServerMicros } from '../../src/units'
import type { Bus } from '../bus/bus'
import type { Emit, Tier } from '../telemetry'
import { DamagedHeads } from './damaged-heads'
import type { Journal } from './journal'
import { KnownKeys } from './known-keys'
import type { HeldEntry, LocalEntries } from './local-entries'
import type { RequestBudget } from './request-budget'
import { TagMemo } from './tag-memo'
import type { LocalTagView } from './tag-view'

export interface ReadOptions {
  /** Tags whose soft invalidations make the entry stale, besides its own. */
  readonly tags?: readonly string[]
  /** Tags of which only what is expired counts: the soft tags of `use cache`, as in Next. */
  readonly expiringTags?: readonly string[]
  /** The reader's own idea of when the entry wants a refresh. */
  readonly revalidate?: Seconds | undefined
  /** What to judge where the store has no record, given the clock that it told. */
  readonly insteadOfNone?: ((clock: Clock) => Promise<Entry | undefined>) | undefined
  /** What to claim if the store has no record; not with `insteadOfNone`, which may have one. */
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

export interface EntryReaderOptions {
  readonly store: Store
  readonly local: LocalEntries
  readonly view: LocalTagView
  /** Present in `l1-pubsub`: what is proven is served without a round trip. */
  readonly bus: Bus | undefined
  /** Invalidations of this process that the store does not know of. */
  readonly journal: Pick<Journal, 'judge' | 'settled'>
  readonly format: EntryFormat
  /** Nothing of ours lives longer. */
  readonly maxTtlSeconds: Seconds
  readonly emit: Emit
}

/** One judged read: from memory while the bus proves it, else one round trip. */
export class EntryReader {
  private readonly memo = new TagMemo()
  private readonly known = new KnownKeys()
  private readonly heads = new DamagedHeads()

  constructor(private readonly parts: EntryReaderOptions) {}

  /** An entry of ours went to the store: its tags are asked for with the next read. */
  written(key: string, tags: readonly string[]): void {
    this.memo.set(key, tags)
    this.known.add(key)
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
    return this.known.has(key)
  }

  /** @throws what the store rejects with */
  async read(key: string, options: ReadOptions, budget: RequestBudget): Promise<JudgedRead> {
    const { journal } = this.parts
    for (let attempt = 0; attempt < 3; attempt++) {
      const { settled } = journal
      const read = await this.readOnce(key, options, budget)
      // What left the journal while we read may have reached the store too late for our reply.
      if (journal.settled === settled) return read
    }
    return NO_ANSWER
  }

  private async readOnce(key: string, options: ReadOptions, budget: RequestBudget): Promise<JudgedRead> {
    return this.recall(key, options, localNow()) ?? this.fromStore(key, options, budget)
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
    return this.judged(entry, known, options, 'local', now)
  }

  private async fromStore(key: string, options: ReadOptions, budget: RequestBudget): Promise<JudgedRead> {
    const { store, local } = this.parts
    const { tags = [], expiringTags = [] } = options
    const asked = new Set([...tags, ...expiringTags, ...this.memo.get(key)])
    const held = local.get(key)
    const bid = held === undefined && options.insteadOfNone === undefined ? options.bid : undefined
    const proof = local.begin(key)
    try {
      let { bytes, view } = await budget.spend((patience) =>
        store.read(key, [...asked], held?.stamp, patience, bid),
      )
      if (bytes === null) {
        local.drop(key)
        this.known.delete(key)
      } else this.known.add(key)
      let entry: HeldEntry | undefined = bytes === 'unchanged' ? held : await this.decode(key, bytes)
      const stamp = bytes === 'unchanged' ? entry?.stamp : bytes?.subarray(0, HEAD_BYTES)
      const miss: JudgedRead = {
        ...NO_ANSWER,
        clock: view.clock,
        tier: 'store',
        stamp: stamp ?? NO_RECORD_FOUND,
      }
      let tier: Tier = bytes === 'unchanged' ? 'unchanged' : 'store'
      if (bytes === null && options.insteadOfNone !== undefined) {
        entry = await options.insteadOfNone(view.clock)
        tier = 'build'
      }
      if (entry === undefined) return miss
      if (tier !== 'build' && !this.isPlausible(entry, view.clock)) {
        this.damaged(key, entry.stamp, 'time')
        return miss
      }
      this.memo.set(key, entry.tags)
      if (entry.tags.some((tag) => !asked.has(tag))) {
        for (const tag of entry.tags) asked.add(tag)
        view = await budget.spend((patience) => store.readTags([...asked], patience))
      }
      const { fence } = entry
      if (fence > view.clock)
        view = await budget.spend((patience) => store.catchUp(fence, [...asked], patience))
      const read = this.judged(entry, view, options, tier, localNow())
      if (this.learn(view, asked) && read.entry !== undefined && tier !== 'build')
        local.keep(key, entry, proof)
      return read
    } finally {
      local.end(key, proof)
    }
  }

  /** Without a bus nothing carries on what a reply said, and the body alone is worth keeping. */
  private learn(view: TagView, asked: Iterable<string>): boolean {
    const { bus } = this.parts
    return bus === undefined || this.parts.view.learn(view, asked, bus.clock)
  }

  private async decode(key: string, bytes: Buffer | null): Promise<Entry | undefined> {
    if (bytes === null) return undefined
    // A reply may be a slice of a larger buffer, which a small entry must not keep alive.
    const own = bytes.length < bytes.buffer.byteLength ? copyOf(bytes) : bytes
    const entry = await decodeEntry(key, own, this.parts.format)
    if (typeof entry !== 'string') return entry
    this.damaged(key, own, entry)
    return undefined
  }

  /**
   * Times far ahead of the server's were not written by us: they must not drag the clock along, or look young
   * for ever. What is older than the longest life was kept, or put back, by somebody else: the tag state may have
   * forgotten what invalidated it.
   */
  private isPlausible({ fence, bornAt, modifiedAt }: Entry, clock: Clock): boolean {
    const now = this.parts.store.toServer(localNow())
    const latest = now + DAY_MICROS
    if (bornAt > latest || modifiedAt > latest || fence > Math.max(clock, latest)) return false
    return bornAt > now - this.parts.maxTtlSeconds * 1_000_000 - DAY_MICROS
  }

  private judged(
    entry: HeldEntry,
    view: TagView,
    options: ReadOptions,
    tier: Tier,
    at: LocalMillis,
  ): JudgedRead {
    const { journal, store } = this.parts
    const now = store.toServer(at)
    const age = judgeAge(entry, now, options.revalidate)
    const { expiringTags = NO_TAGS } = options
    const tags = options.tags === undefined ? entry.tags : [...entry.tags, ...options.tags]
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

function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}
