import { bytesOf, encodeEntry, type Entry, type EntryFormat, type PackedValue } from '../../src/entry'
import type { ResolvedOptions } from '../../src/options'
import { localNow } from '../../src/server-time'
import type { Store, WriteOutcome } from '../../src/store'
import type { Bytes, Clock, LocalMillis, Milliseconds, ServerMicros } from '../../src/units'
import { dropOldest } from '../drop-oldest'
import { ByteLru } from '../memory/byte-lru'
import type { JudgedRead } from './judge'

/** A response that this build prerendered, packed. */
export interface Prerendered extends Pick<Entry, 'tags' | 'revalidate' | 'expire'>, PackedValue {
  /** When the build wrote it, by the builder's clock [ms]. */
  readonly modifiedAt: number
}

export type LoadPrerendered = () => Promise<Prerendered | undefined>

/**
 * How far the builder's clock may be ahead of the Redis server's: what was invalidated less than this before
 * the build began counts as after it. Machines that keep time at all agree within seconds; five minutes is the
 * skew that Kerberos allows, too. Too long costs one refresh of what changed just before a deploy; too short would
 * serve what an acknowledged invalidation forbids.
 */
export const BUILD_CLOCK_MARGIN_MS: Milliseconds = 5 * 60_000

/** Bodies are held only until Redis has them, or something newer. */
const MAX_HELD_BYTES: Bytes = 16 * 1024 * 1024
/** Keys of which the build's response is known to be of no use any more; forgetting one costs a read of its files. */
const MAX_SPENT_KEYS = 10_000
/** A store that takes no writes is not asked for every response. */
const RETRY_MS: Milliseconds = 10_000

export interface BuildTierOptions {
  readonly store: Store
  /** When the build began, by the builder's clock [ms]. */
  readonly startedAt: number
  readonly format: EntryFormat
  readonly options: Pick<ResolvedOptions, 'maxTtlSeconds'>
}

/**
 * The build output as the tier below Redis: what it prerendered needs no render after a deploy. An entry of it
 * knows what was invalidated before the build began, less a margin. It is older than whatever a replica of
 * this deployment rendered, so it never replaces anything.
 */
export class BuildTier {
  private readonly held = new ByteLru<Entry>(MAX_HELD_BYTES)
  private readonly loading = new Map<string, Promise<Entry | undefined>>()
  private readonly spent = new Set<string>()
  private readonly storing = new Set<string>()
  private storeAgainAt: LocalMillis = 0

  constructor(private readonly parts: BuildTierOptions) {}

  private get fence(): Clock {
    return Math.max(0, Math.round((this.parts.startedAt - BUILD_CLOCK_MARGIN_MS) * 1000))
  }

  /** The entry for a key that the store has nothing under. @param clock what the store said, if it did */
  async find(key: string, load: LoadPrerendered, clock: Clock = Infinity): Promise<Entry | undefined> {
    if (this.spent.has(key)) return undefined
    const now = this.parts.store.toServer(localNow())
    // Tag state may forget what is older than the longest entry; a build from the future has no usable clock.
    if (this.fence > now || this.lifeLeftMs(now) <= 0) return undefined
    const entry = this.held.get(key) ?? (await this.loadOnce(key, load, now))
    // Whatever the state knows up to a clock before the build, the build knew: a fence is never ahead.
    return entry && { ...entry, fence: Math.min(entry.fence, clock) }
  }

  private loadOnce(key: string, load: LoadPrerendered, now: ServerMicros): Promise<Entry | undefined> {
    const loading = this.loading.get(key)
    if (loading !== undefined) return loading
    const mine = load()
      .then((prerendered) => prerendered && this.hold(key, prerendered, now))
      .finally(() => {
        if (this.loading.get(key) === mine) this.loading.delete(key)
      })
    this.loading.set(key, mine)
    return mine
  }

  private hold(key: string, { chunks, ...prerendered }: Prerendered, now: ServerMicros): Entry | undefined {
    const bodyBytes = bytesOf(chunks)
    if (bodyBytes > this.parts.format.maxEntryBytes) return undefined
    // Images and copies may come with any file times: nothing is older than the build, or from the future.
    const modifiedAt = Math.max(this.parts.startedAt, prerendered.modifiedAt) * 1000
    const entry: Entry = {
      ...prerendered,
      fence: this.fence,
      bornAt: this.fence,
      modifiedAt: Math.round(Math.min(modifiedAt, now)),
      retryAt: 0,
      fromBuild: true,
      body: Buffer.concat(chunks),
      bodyBytes,
      stamp: Buffer.alloc(0),
    }
    this.held.set(key, entry, bodyBytes)
    return entry
  }

  /** Learns from a read of a key. */
  learn(key: string, { tier, entry, verdict }: JudgedRead): void {
    // Tags forbid it, now and for ever; or there is something newer.
    if (tier === 'build' ? verdict === 'expired' : entry !== undefined && !entry.fromBuild) this.spend(key)
  }

  /** The response of the build is of no use any more. */
  spend(key: string): void {
    this.held.delete(key)
    if (this.spent.has(key)) return
    this.spent.add(key)
    dropOldest(this.spent, MAX_SPENT_KEYS)
  }

  /**
   * Gives a fresh entry to the other replicas; undefined when it is not the moment. Only where there is none: by
   * fence alone it might replace an entry that was rendered before the clock moved.
   *
   * @throws what the store rejects with
   */
  async store(key: string, entry: Entry): Promise<{ outcome: WriteOutcome; bytes: Bytes } | undefined> {
    const { store, format } = this.parts
    if (this.storing.has(key) || localNow() < this.storeAgainAt) return undefined
    this.storing.add(key)
    try {
      const record = await encodeEntry(key, { ...entry, chunks: [entry.body] }, format)
      if (record === undefined) return undefined
      const lifeLeftMs = this.lifeLeftMs(store.toServer(localNow()))
      const ttlMs = Math.ceil(Math.max(1000, Math.min(entry.expire * 1000, lifeLeftMs)))
      const outcome = await store.add(key, record, ttlMs)
      this.held.delete(key)
      return { outcome, bytes: record.length }
    } catch (error) {
      this.storeAgainAt = localNow() + RETRY_MS
      throw error
    } finally {
      this.storing.delete(key)
    }
  }

  /** Like any entry, none of the build's outlives the longest one. */
  private lifeLeftMs(now: ServerMicros): Milliseconds {
    return this.parts.options.maxTtlSeconds * 1000 - (now - this.fence) / 1000
  }
}
