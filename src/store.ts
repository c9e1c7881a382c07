import type { Pieces } from './pieces'
import type { TagChange, TagView } from './tag-state'
import type { Clock, LocalMillis, Milliseconds, ServerMicros } from './units'

export interface StoredBytes {
  /** The record under the key; null: there is none; 'unchanged': it is the one that the reader holds. */
  readonly bytes: Buffer | null | 'unchanged'
  /** The tag state, read after the record wherever the topology allows. */
  readonly view: TagView
}

export type WriteOutcome = 'stored' | 'superseded'

export interface WriteDetails {
  /** Ends the lease that it stands for. */
  readonly token?: string | undefined
  /** Head of a record that was found damaged: if it is still there it is replaced, whatever it claims. */
  readonly damaged?: Buffer | undefined
}

/** How long whoever asks can still wait; a command gets no more than that. */
export interface Patience {
  readonly leftMs: Milliseconds
}

/** Who may generate an entry. */
export interface LeaseState {
  /** Token of the holder; '-': nobody shall wait for this key; 'changed': there is another record by now. */
  readonly holder: string
  /** How long the lease lives unless it is renewed. */
  readonly livesMs: Milliseconds
}

/** A claim that goes along with a read: it is granted only where there is no record. */
export interface Bid {
  readonly token: string
  readonly ttlMs: Milliseconds
  /** Called with what became of it, once it was sent; undefined: the reply is lost. */
  settle(state: LeaseState | undefined): void
}

/**
 * Where entries and tag state live, in the terms of the data model. Every method costs one round trip once
 * the connection is warm, and rejects within a deadline; nothing here retries.
 */
export interface Store {
  /**
   * `stamp`: head of the record that the reader holds, whose body need not be sent again; `bid`: what to claim in the
   * same round trip. A store that serves no others need not look at either.
   */
  read(
    key: string,
    tags: readonly string[],
    stamp?: Buffer,
    patience?: Patience,
    bid?: Bid,
  ): Promise<StoredBytes>
  readTags(tags: readonly string[], patience?: Patience): Promise<TagView>
  /** Stores the record unless a newer one is there. */
  write(key: string, record: Buffer | Pieces, ttlMs: Milliseconds, more?: WriteDetails): Promise<WriteOutcome>
  /** Stores the record only where there is none. */
  add(key: string, record: Buffer, ttlMs: Milliseconds): Promise<WriteOutcome>
  /** Claims the lease of an entry, or tells who has it. */
  claimLease(
    key: string,
    token: string,
    ttlMs: Milliseconds,
    stamp: Buffer,
    patience?: Patience,
  ): Promise<LeaseState>
  /** Prolongs leases; resolves with those that are no longer the holder's. */
  renewLeases(leases: readonly { key: string; token: string }[], ttlMs: Milliseconds): Promise<string[]>
  /** Ends a lease that produced no entry; with `markMs`, nobody waits for the key that long. */
  releaseLease(key: string, token: string, markMs: Milliseconds): Promise<void>
  /** Resolves when the invalidation is acknowledged. */
  invalidate(changes: readonly TagChange[]): Promise<void>
  /** Raises the floor: no entry of the application that exists now stays valid. */
  invalidateEverything(): Promise<void>
  /** How many replicas of Redis have everything that was acknowledged until now; waits for them, bounded. */
  confirm(): Promise<number>
  /** An invalidation was heard of: a server that replaces the present one may not know of it. */
  remember(invalidation: { clock: Clock; now: ServerMicros; changes: readonly TagChange[] }): void
  /**
   * Tells the store of a clock value that was seen elsewhere (the fence of an entry): when the server is
   * behind it, state was lost, and the floor is raised before the returned view is read.
   */
  catchUp(seen: Clock, tags: readonly string[], patience?: Patience): Promise<TagView>
  /** The fence of a generation that began at `time`; undefined when nothing was known by then. */
  fenceAt(time: LocalMillis): Clock | undefined
  /** The first clock observed; 0: none yet. A floor above it was raised while this process lived. */
  readonly firstClock: Clock
  /** The newest clock observed; 0: none yet. */
  readonly latestClock: Clock
  /** The bus told a clock up to which this process's knowledge is complete. */
  observe(clock: Clock): void
  toServer(local: LocalMillis): ServerMicros
  toLocal(server: ServerMicros): LocalMillis
  /** Publishes a heartbeat now, besides those of every second. Never throws. */
  heartbeat(): void
  /** Runs when invalidations may get through again. */
  onReady(listener: () => void): void
  close(): Promise<void>
}
