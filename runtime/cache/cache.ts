import { decodeEntry, encodeEntry, type Entry, type EntryFormat, type NewEntry } from '../../src/entry'
import { messageOf } from '../../src/errors'
import type { EntryScope, KeyNames } from '../../src/key-names'
import type { ResolvedOptions } from '../../src/options'
import { localNow } from '../../src/server-time'
import type { Store } from '../../src/store'
import {
  type Bytes,
  type Clock,
  type LocalMillis,
  type Milliseconds,
  NEVER,
  type Seconds,
  type ServerMicros,
} from '../../src/units'
import type { Logger } from '../logger'
import type { Emit, SkipReason } from '../telemetry'
import type { BuildTier } from './build-tier'
import {
  type CacheRead,
  type CacheReadOptions,
  isCodeAlone,
  isGenerator,
  wantsGeneration,
} from './cache-read'
import { type EntryReader, type JudgedRead, NO_ANSWER } from './entry-reader'
import type { Ingredients } from './ingredients'
import type { Invalidator } from './invalidator'
import type { Journal } from './journal'
import type { LocalEntries } from './local-entries'
import type { RequestBudget, RequestBudgets } from './request-budget'
import type { SingleFlight, Watch } from './single-flight'

export interface CacheOptions {
  readonly store: Store
  readonly reader: EntryReader
  readonly local: LocalEntries
  readonly names: KeyNames
  readonly format: EntryFormat
  readonly options: Pick<ResolvedOptions, 'maxTtlSeconds'>
  readonly invalidator: Invalidator
  readonly journal: Journal
  /** Undefined: every reader of a cold or stale entry generates. */
  readonly flight: SingleFlight | undefined
  /** Undefined: the build left nothing that could be judged. */
  readonly build?: BuildTier | undefined
  /** What the reads of a request may wait for the store. */
  readonly budgets: RequestBudgets
  /** What generations of this process may be made of. */
  readonly ingredients: Ingredients
  readonly emit: Emit
  readonly log: Logger
}

/** Entries written together do not expire together. */
const TTL_JITTER = 0.05
/** A mask is short: whatever persists it inherits this life and heals. */
const MASK_SECONDS: Seconds = 2

/** What both handlers stand on: reads that are judged, writes that carry a fence. Never throws. */
export class Cache {
  /** Writes of this process that are on their way. */
  private readonly writes = new Map<string, Promise<void>>()

  constructor(private readonly parts: CacheOptions) {}

  get maxEntryBytes(): Bytes {
    return this.parts.format.maxEntryBytes
  }

  async read(scope: EntryScope, cacheKey: string, options: CacheReadOptions = {}): Promise<CacheRead> {
    const startedAt = localNow()
    const key = this.parts.names.entry(scope, cacheKey)
    const budget = this.parts.budgets.of(options.request)
    let read: CacheRead = NO_ANSWER
    try {
      read = await this.judgedRead(key, options, budget)
      const { flight, journal } = this.parts
      // Behind the journal nobody else knows that the entry is old: there is nobody to wait for.
      if (flight !== undefined && !journal.behind && wantsGeneration(read) && isGenerator(read, options))
        read = await this.coordinate(flight, key, read, options, budget)
    } catch (error) {
      this.unavailable('A read', error)
    }
    const { entry, verdict, tier } = read
    const result = entry === undefined ? 'miss' : 'hit'
    const masked = read.maskSeconds !== undefined
    this.parts.emit('read', { scope, key, result, tier, verdict, masked, ms: localNow() - startedAt })
    return read
  }

  private async judgedRead(
    key: string,
    options: CacheReadOptions,
    budget: RequestBudget,
  ): Promise<JudgedRead> {
    const { journal, reader } = this.parts
    // All that this process promised to invalidate is everything: the store has nothing to say.
    if (journal.overflow > 0) return NO_ANSWER
    try {
      return await this.readTiers(key, options, budget)
    } catch (error) {
      // Not asked in advance: everything may have been invalidated while the store did not answer.
      if (journal.overflow > 0) throw error
      const read = reader.readWithinGrace(key, options) ?? (await this.readCodeAlone(key, options))
      if (read === undefined) throw error
      return read
    }
  }

  /**
   * What no invalidation can have changed, such as the shell of a partially prerendered page. Everything else in
   * memory and in the build output may be older than an invalidation that another replica acknowledged meanwhile.
   */
  private async readCodeAlone(
    key: string,
    { showsItsData, prerendered }: CacheReadOptions,
  ): Promise<JudgedRead | undefined> {
    if (!showsItsData) return undefined
    const { build, journal, reader } = this.parts
    const held = reader.readUnproven(key)
    const entry = held ?? (prerendered && (await build?.find(key, prerendered)))
    if (entry === undefined || !isCodeAlone(entry) || journal.judge(entry.tags) !== 'fresh') return undefined
    const tier = held === undefined ? 'build' : 'local'
    return { ...NO_ANSWER, entry, verdict: 'fresh', age: 'fresh', tier }
  }

  private async readTiers(
    key: string,
    options: CacheReadOptions,
    budget: RequestBudget,
  ): Promise<JudgedRead> {
    const { reader, build } = this.parts
    const { prerendered } = options
    if (build === undefined || prerendered === undefined) return reader.read(key, options, budget)
    const insteadOfNone = (clock: Clock) => build.find(key, prerendered, clock)
    const read = await reader.read(key, { ...options, insteadOfNone }, budget)
    build.learn(key, read)
    if (read.tier === 'build' && read.entry !== undefined && !wantsGeneration(read))
      void this.storePrerendered(build, key, read.entry)
    return read
  }

  /** Nobody waits for it. */
  private async storePrerendered(build: BuildTier, key: string, entry: Entry): Promise<void> {
    const startedAt = localNow()
    try {
      const stored = await build.store(key, entry)
      if (stored) this.parts.emit('write', { scope: 'response', key, ...stored, ms: localNow() - startedAt })
    } catch (error) {
      this.parts.emit('unavailable', { what: 'A write', message: messageOf(error) })
    }
  }

  /** Decides who generates. Everybody else gets the old entry at once, or waits for the new one, bounded. */
  private async coordinate(
    flight: SingleFlight,
    key: string,
    first: JudgedRead,
    options: CacheReadOptions,
    budget: RequestBudget,
  ): Promise<CacheRead> {
    const { follower = 'masked', dedupedByNext = false } = options
    if (first.clock === undefined) return first
    if (dedupedByNext && flight.leads(key)) {
      // The generation that this process leads is shared by Next, until it is complete; then it is on its way
      // to the store, and whoever read too early to see it would generate once more.
      const write = this.writes.get(key)
      if (write === undefined) return first
      await write
      return this.judgedRead(key, options, budget)
    }
    const startedAt = localNow()
    const deadline = startedAt + flight.waitMs
    let watch: Watch | undefined
    try {
      let read = first
      for (;;) {
        const { stamp } = read
        const claim = await budget.spend((patience) => flight.claim(key, stamp, patience))
        if (claim.role === 'leader' || claim.role === 'free') {
          if (read !== first) this.waited(key, 'led', startedAt)
          return read
        }
        const leftMs = deadline - localNow()
        if (claim.role === 'changed' && leftMs > 0) {
          read = await this.judgedRead(key, options, budget)
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
        read = await this.judgedRead(key, options, budget)
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
    const key = this.parts.names.entry(scope, cacheKey)
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
      const record = await encodeEntry(key, entry, format)
      if (record === undefined) return this.skip(scope, cacheKey, 'too-large')
      const outcome = await store.write(key, record, this.ttlMs(entry.expire), {
        token: flight?.tokenOf(key),
        damaged: reader.damagedHead(key),
      })
      reader.written(key, entry.tags)
      // The announcement of this very write may come back before its reply: then a read proves it later.
      const stored = await decodeEntry(key, record, format)
      if (outcome === 'stored' && typeof stored !== 'string') local.keep(key, stored, proof)
      flight?.stored(key)
      if (scope === 'response' && !entry.fromBuild) build?.spend(key)
      emit('write', { scope, key, outcome, bytes: record.length, ms: localNow() - startedAt })
    } catch (error) {
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
    const key = this.parts.names.entry(scope, cacheKey)
    this.parts.flight?.failed(key)
    this.parts.emit('skip', { scope, key, reason })
  }

  /** What the handler could not read as a value of its own: a miss, and the next write replaces it. */
  unreadable(scope: EntryScope, cacheKey: string, entry: Entry): void {
    this.parts.reader.damaged(this.parts.names.entry(scope, cacheKey), entry.stamp, 'value')
  }

  /** Resolves when the invalidation is acknowledged, or kept for retry. @throws as Invalidator.invalidate */
  invalidate(tags: readonly string[], windowSeconds: Seconds | undefined): Promise<void> {
    const windowMicros = windowSeconds === undefined ? undefined : Math.min(NEVER, windowSeconds * 1_000_000)
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
