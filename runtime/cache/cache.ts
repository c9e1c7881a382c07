import { encodeInPieces, type Entry, type NewEntry, storedEntry } from '../../src/entry'
import { messageOf } from '../../src/errors'
import type { EntryScope } from '../../src/key-names'
import { localNow } from '../../src/server-time'
import {
  type Bytes,
  type Clock,
  type LocalMillis,
  type Milliseconds,
  NEVER,
  type Seconds,
  type ServerMicros,
} from '../../src/units'
import type { SkipReason } from '../telemetry'
import type { CacheParts } from './cache-parts'
import {
  type CacheRead,
  type CacheReadOptions,
  isGenerator,
  readMessage,
  wantsGeneration,
} from './cache-read'
import { type JudgedRead, NO_ANSWER, type ReadOptions } from './judge'
import { KeyMemo } from './key-memo'
import type { RequestBudget } from './request-budget'
import { RequestLeads } from './request-leads'
import type { Claim, EarlyClaim, SingleFlight, Watch } from './single-flight'
import { Tiers } from './tiers'

/** Entries written together do not expire together. */
const TTL_JITTER = 0.05
/** A mask is short: whatever persists it inherits this life and heals. */
const MASK_SECONDS: Seconds = 2

/** What both handlers stand on: reads that are judged, writes that carry a fence. Neither ever rejects. */
export class Cache {
  /** Writes of this process that are on their way. */
  private readonly writes = new Map<string, Promise<void>>()
  private readonly leads: RequestLeads
  private readonly keys: KeyMemo
  private readonly tiers: Tiers

  constructor(private readonly parts: CacheParts) {
    this.keys = new KeyMemo(parts.names)
    this.tiers = new Tiers(parts)
    this.leads = new RequestLeads(parts.flight, (key) => this.writes.has(key))
  }

  get maxEntryBytes(): Bytes {
    return this.parts.format.maxEntryBytes
  }

  /**
   * What local memory answers at once, without a promise: fresh, and proven. Undefined: `read` it.
   *
   * @param now the time, which whoever asks knows
   */
  recall(
    scope: EntryScope,
    cacheKey: string,
    options: ReadOptions,
    now: LocalMillis,
  ): JudgedRead | undefined {
    const { journal, reader, emit } = this.parts
    if (journal.overflow > 0) return undefined
    const key = this.keys.nameOf(scope, cacheKey)
    const read = reader.recall(key, options, now)
    if (read !== undefined) emit('read', () => readMessage(scope, key, read, now))
    return read
  }

  async read(scope: EntryScope, cacheKey: string, options: CacheReadOptions = {}): Promise<CacheRead> {
    const startedAt = localNow()
    const key = this.keys.nameOf(scope, cacheKey)
    const budget = this.parts.budgets.of(options.request)
    const early = this.claimEarly(key, options)
    const ledBefore = options.afterAnswer && this.parts.flight?.tokenOf(key)
    let read: CacheRead = NO_ANSWER
    try {
      read = await this.tiers.read(key, early === undefined ? options : { ...options, bid: early }, budget)
      const { flight, journal } = this.parts
      // Behind the journal nobody else knows that the entry is old: there is nobody to wait for.
      const wants = read.clock !== undefined && wantsGeneration(read) && isGenerator(read, options)
      if (wants && flight !== undefined && !journal.behind) {
        // It says nothing of a record that was found: that one may have to be replaced.
        const known = read.stamp.length === 0 ? early?.take() : undefined
        if (known?.role !== 'leader') read = await this.coordinate(flight, key, read, options, budget, known)
      }
    } catch (error) {
      this.unavailable('A read', error)
    } finally {
      early?.end()
    }
    if (read.entry === undefined) this.leads.note(key, options, ledBefore)
    const answer = read
    this.parts.emit('read', () => readMessage(scope, key, answer, startedAt))
    return read
  }

  /** The request was answered: what its reads missed may be nobody's any more. */
  answered(request: object, hasFailed: boolean): void {
    this.leads.answered(request, hasFailed)
  }

  /** Where nothing is expected, and this reader would generate what is missing: a claim that the read takes along. */
  private claimEarly(key: string, options: CacheReadOptions): EarlyClaim | undefined {
    const { flight, journal, reader } = this.parts
    if (flight === undefined || journal.behind || reader.expects(key)) return undefined
    return isGenerator(NO_ANSWER, options) ? flight.claimEarly(key) : undefined
  }

  /** Decides who generates. Everybody else gets the old entry at once, or waits for the new one, bounded. */
  private async coordinate(
    flight: SingleFlight,
    key: string,
    first: JudgedRead,
    options: CacheReadOptions,
    budget: RequestBudget,
    early: Claim | undefined,
  ): Promise<CacheRead> {
    const { follower = 'masked', dedupedByNext = false } = options
    let known = early
    if (dedupedByNext && flight.leads(key)) {
      // The generation that this process leads is shared by Next, until it is complete; then it is on its way
      // to the store, and whoever read too early to see it would generate once more.
      const write = this.writes.get(key)
      if (write === undefined) return first
      await write
      return this.tiers.read(key, options, budget)
    }
    // What this process led may be over since the early claim was answered: only another claim knows.
    if (known?.role === 'follower' && known.sameProcess) known = undefined
    const startedAt = localNow()
    const deadline = startedAt + flight.waitMs
    let watch: Watch | undefined
    try {
      let read = first
      for (;;) {
        const { stamp } = read
        const claim = known ?? (await budget.spend((patience) => flight.claim(key, stamp, patience)))
        known = undefined
        if (claim.role === 'leader' || claim.role === 'free') {
          if (read !== first) this.waited(key, 'led', startedAt)
          return read
        }
        const leftMs = deadline - localNow()
        if (claim.role === 'changed' && leftMs > 0) {
          read = await this.tiers.read(key, options, budget)
          if (!wantsGeneration(read)) return read
          continue
        }
        if (claim.role === 'changed') return read
        if (dedupedByNext && claim.sameProcess) return read
        if (follower !== 'waits' && read.entry !== undefined && read.age !== 'expired') {
          return follower === 'masked' ? { ...read, maskSeconds: MASK_SECONDS } : read
        }
        if (leftMs <= 0) {
          this.waited(key, 'gave-up', startedAt)
          return read
        }
        if (watch === undefined) {
          watch = flight.watch(key)
          // What happened before we listened shows in another claim.
          continue
        }
        await watch.woken(Math.min(leftMs, Math.max(claim.livesMs, 1) + 5))
        read = await this.tiers.read(key, options, budget)
        if (!wantsGeneration(read)) {
          this.waited(key, 'served', startedAt)
          return read
        }
      }
    } finally {
      watch?.end()
    }
  }

  private waited(key: string, outcome: 'served' | 'led' | 'gave-up', startedAt: LocalMillis): void {
    this.parts.emit('waited', { key, outcome, ms: localNow() - startedAt })
  }

  /** Stores the entry unless a newer one is there. */
  async write(scope: EntryScope, cacheKey: string, entry: NewEntry): Promise<void> {
    const key = this.keys.nameOf(scope, cacheKey)
    const write = this.store(scope, cacheKey, key, entry)
    this.writes.set(key, write)
    await write
    if (this.writes.get(key) === write) this.writes.delete(key)
  }

  /** Resolves when no write is on its way. */
  async drained(): Promise<void> {
    while (this.writes.size > 0) await Promise.allSettled(this.writes.values())
  }

  private async store(scope: EntryScope, cacheKey: string, key: string, entry: NewEntry): Promise<void> {
    const startedAt = localNow()
    const { store, format, reader, local, flight, build, emit } = this.parts
    const proof = local.begin(key)
    try {
      const record = await encodeInPieces(key, entry, format)
      if (record === undefined) return this.skip(scope, cacheKey, 'too-large')
      const held = storedEntry(key, record, entry)
      const outcome = await store.write(key, record, this.ttlMs(entry.expire), {
        token: flight?.tokenOf(key),
        damaged: reader.damagedHead(key),
      })
      reader.written(key, entry.tags)
      // The announcement of this very write may come back before its reply: then a read proves it later.
      if (outcome === 'stored') local.stored(key, held, proof)
      // Something newer is there, of which the bus may not have told yet.
      else local.overwritten(key)
      flight?.stored(key)
      if (scope === 'response' && !entry.fromBuild) build?.spend(key)
      emit('write', { scope, key, outcome, bytes: record.length, ms: localNow() - startedAt })
    } catch (error) {
      local.notAnswered(key)
      this.skip(scope, cacheKey, 'unavailable')
      this.unavailable('A write', error)
    } finally {
      local.end(key, proof)
    }
  }

  private ttlMs(expire: Seconds): Milliseconds {
    const seconds = Math.min(expire, this.parts.options.maxTtlSeconds)
    return Math.max(1000, Math.ceil(seconds * 1000 * (1 + Math.random() * TTL_JITTER)))
  }

  /** Reports that something was not stored, and that nobody need wait for it. */
  skip(scope: EntryScope, cacheKey: string, reason: SkipReason): void {
    const key = this.keys.nameOf(scope, cacheKey)
    this.parts.flight?.failed(key)
    this.parts.emit('skip', { scope, key, reason })
  }

  /**
   * What the handler made of the body of an entry; local memory keeps it instead, if it holds the entry.
   *
   * @param bytes what the content keeps alive
   * @param take makes content that shares no memory with the body
   */
  keepContent(scope: EntryScope, cacheKey: string, entry: Entry, bytes: Bytes, take: () => object): void {
    this.parts.local.keepContent(this.keys.nameOf(scope, cacheKey), entry, bytes, take)
  }

  /** What the handler could not read as a value of its own: a miss, and the next write replaces it. */
  unreadable(scope: EntryScope, cacheKey: string, entry: Entry): void {
    this.parts.reader.damaged(this.keys.nameOf(scope, cacheKey), entry.stamp, 'value')
  }

  /** Resolves when the invalidation is acknowledged, or kept for retry. @throws as Invalidator.invalidate */
  invalidate(tags: readonly string[], windowSeconds: Seconds | undefined): Promise<void> {
    // Whole, since records hold nothing else.
    const windowMicros =
      windowSeconds === undefined ? undefined : Math.min(NEVER, Math.round(windowSeconds * 1_000_000))
    return this.parts.invalidator.invalidate(tags.map((tag) => ({ tag, windowMicros })))
  }

  fenceAt(time: LocalMillis): Clock | undefined {
    return this.parts.store.fenceAt(time)
  }

  /** The fence of what may be made of anything that this process generated since then. */
  limit(cacheKey: string, fence: Clock, tags: readonly string[], since: LocalMillis): Clock {
    return this.parts.ingredients.limit(cacheKey, fence, tags, since)
  }

  /** Others may join this generation until the returned function is called. */
  generated(cacheKey: string, tags: readonly string[], fence: Clock): () => void {
    return this.parts.ingredients.generated(cacheKey, tags, fence)
  }

  toServer(local: LocalMillis): ServerMicros {
    return this.parts.store.toServer(local)
  }

  toLocal(server: ServerMicros): LocalMillis {
    return this.parts.store.toLocal(server)
  }

  private unavailable(what: string, error: unknown): void {
    const message = messageOf(error)
    this.parts.emit('unavailable', { what, message })
    this.parts.log(`${what} found no answer from Redis; this replica renders by itself`, message)
  }
}
