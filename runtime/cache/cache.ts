import { decodeEntry, encodeEntry, type Entry, type NewEntry } from '../../src/entry'
import type { EntryScope, KeyNames } from '../../src/key-names'
import type { ResolvedOptions } from '../../src/options'
import { localNow } from '../../src/server-time'
import { judge, type TagView, type Verdict } from '../../src/tag-state'
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
import type { Store } from '../../src/store'
import type { Emit, SkipReason } from '../telemetry'
import type { Invalidator } from './invalidator'
import { TagMemo } from './tag-memo'

export interface CacheReadOptions {
  /** Tags whose soft invalidations make the entry stale, besides its own. */
  readonly tags?: readonly string[]
  /** Tags of which only what is expired counts: the soft tags of `use cache`, as in Next. */
  readonly expiringTags?: readonly string[]
}

export interface CacheRead {
  /** Present when it may be served; `verdict` is then fresh or stale. */
  readonly entry: Entry | undefined
  readonly verdict: Verdict | undefined
  /** The fence of a generation that begins with this answer; undefined when the store did not answer. */
  readonly clock: Clock | undefined
}

export interface CacheOptions {
  readonly store: Store
  readonly names: KeyNames
  readonly options: Pick<ResolvedOptions, 'compression' | 'maxEntryBytes' | 'maxTtlSeconds'>
  readonly invalidator: Invalidator
  readonly emit: Emit
  readonly log: Logger
}

const MISS: CacheRead = { entry: undefined, verdict: undefined, clock: undefined }
/** Entries written together do not expire together. */
const TTL_JITTER = 0.05

/** What both handlers stand on: reads that are judged, writes that carry a fence. Never throws. */
export class Cache {
  private readonly memo = new TagMemo()

  constructor(private readonly parts: CacheOptions) {}

  get maxEntryBytes(): Bytes {
    return this.parts.options.maxEntryBytes
  }

  async read(scope: EntryScope, cacheKey: string, options: CacheReadOptions = {}): Promise<CacheRead> {
    const startedAt = localNow()
    const key = this.parts.names.entry(scope, cacheKey)
    let read = MISS
    try {
      read = await this.readStore(key, options)
    } catch (error) {
      this.unavailable('A read', error)
    }
    const { entry, verdict } = read
    this.parts.emit('read', {
      scope,
      key,
      result: entry === undefined ? 'miss' : 'hit',
      verdict,
      ms: localNow() - startedAt,
    })
    return read
  }

  private async readStore(
    key: string,
    { tags = [], expiringTags = [] }: CacheReadOptions,
  ): Promise<CacheRead> {
    const { store, invalidator } = this.parts
    if (invalidator.behind) {
      await invalidator.flush()
      // What this process promised to invalidate is not in the store yet: it has nothing to say.
      if (invalidator.behind) return MISS
    }
    const asked = new Set([...tags, ...expiringTags, ...this.memo.get(key)])
    let { bytes, view } = await store.read(key, [...asked])
    if (bytes === null) return { entry: undefined, verdict: undefined, clock: view.clock }
    const entry = await decodeEntry(bytes, this.parts.options.maxEntryBytes)
    if (typeof entry === 'string') {
      this.parts.emit('fault', { key, fault: entry })
      return { entry: undefined, verdict: undefined, clock: view.clock }
    }
    this.memo.set(key, entry.tags)
    if (entry.tags.some((tag) => !asked.has(tag))) {
      for (const tag of entry.tags) asked.add(tag)
      view = await store.readTags([...asked])
    }
    if (entry.fence > view.clock) {
      if (!isPlausible(entry.fence, store.toServer(localNow()))) {
        this.parts.emit('fault', { key, fault: 'time' })
        return { entry: undefined, verdict: undefined, clock: view.clock }
      }
      view = await store.catchUp(entry.fence, [...asked])
    }
    const verdict = this.judge(view, entry, tags, expiringTags)
    return { entry: verdict === 'expired' ? undefined : entry, verdict, clock: view.clock }
  }

  private judge(
    view: TagView,
    entry: Entry,
    tags: readonly string[],
    expiringTags: readonly string[],
  ): Verdict {
    const now = this.parts.store.toServer(localNow())
    const verdict = judge(view, entry.fence, [...entry.tags, ...tags], now)
    if (verdict === 'expired' || judge(view, entry.fence, expiringTags, now) === 'expired') return 'expired'
    return verdict === 'stale' && entry.retryAt > now ? 'fresh' : verdict
  }

  /** Stores the entry unless a newer one is there. `expire` is its life in seconds, if it has one. */
  async write(
    scope: EntryScope,
    cacheKey: string,
    entry: NewEntry,
    expire: Seconds | undefined,
  ): Promise<void> {
    const startedAt = localNow()
    const key = this.parts.names.entry(scope, cacheKey)
    const { store, options, emit } = this.parts
    try {
      const record = await encodeEntry(entry, options.compression)
      if (record.length > options.maxEntryBytes) return this.skip(scope, cacheKey, 'too-large')
      const outcome = await store.write(key, record, this.ttlMs(expire))
      if (outcome === 'stored') this.memo.set(key, entry.tags)
      emit('write', { scope, key, outcome, bytes: record.length, ms: localNow() - startedAt })
    } catch (error) {
      this.skip(scope, cacheKey, 'unavailable')
      this.unavailable('A write', error)
    }
  }

  private ttlMs(expire: Seconds | undefined): Milliseconds {
    const seconds = Math.min(expire ?? Infinity, this.parts.options.maxTtlSeconds)
    return Math.max(1000, Math.ceil(seconds * 1000 * (1 + Math.random() * TTL_JITTER)))
  }

  /** Reports that something was not stored. */
  skip(scope: EntryScope, cacheKey: string, reason: SkipReason): void {
    this.parts.emit('skip', { scope, key: this.parts.names.entry(scope, cacheKey), reason })
  }

  /** Resolves when the invalidation is acknowledged, or kept for retry; never rejects. */
  invalidate(tags: readonly string[], windowSeconds: Seconds | undefined): Promise<void> {
    const windowMicros = windowSeconds === undefined ? undefined : Math.min(NEVER, windowSeconds * 1_000_000)
    return this.parts.invalidator.invalidate(tags.map((tag) => ({ tag, windowMicros })))
  }

  fenceAt(time: LocalMillis): Clock | undefined {
    return this.parts.store.fenceAt(time)
  }

  toServer(local: LocalMillis): ServerMicros {
    return this.parts.store.toServer(local)
  }

  toLocal(server: ServerMicros): LocalMillis {
    return this.parts.store.toLocal(server)
  }

  private unavailable(what: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error)
    this.parts.emit('unavailable', { what, message })
    this.parts.log(`${what} found no answer from Redis; this replica renders by itself`, message)
  }
}

/** A fence far ahead of the server's time was not written by us, and must not drag the clock along. */
function isPlausible(fence: Clock, now: ServerMicros): boolean {
  return fence <= now + 24 * 3600 * 1_000_000
}
