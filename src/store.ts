import type { TagChange, TagView } from './tag-state'
import type { Clock, LocalMillis, Milliseconds, ServerMicros } from './units'

export interface StoredBytes {
  /** The record under the key; null: there is none. */
  readonly bytes: Buffer | null
  /** The tag state, read after the record wherever the topology allows. */
  readonly view: TagView
}

export type WriteOutcome = 'stored' | 'superseded'

/**
 * Where entries and tag state live, in the terms of the data model. Every method costs one round trip once
 * the connection is warm, and rejects within a deadline; nothing here retries.
 */
export interface Store {
  read(key: string, tags: readonly string[]): Promise<StoredBytes>
  readTags(tags: readonly string[]): Promise<TagView>
  /** Stores the record unless a newer one is there. */
  write(key: string, record: Buffer, ttlMs: Milliseconds): Promise<WriteOutcome>
  /** Resolves when the invalidation is acknowledged. */
  invalidate(changes: readonly TagChange[]): Promise<void>
  /** Raises the floor: no entry of the application that exists now stays valid. */
  invalidateEverything(): Promise<void>
  /**
   * Tells the store of a clock value that was seen elsewhere (the fence of an entry): when the server is
   * behind it, state was lost, and the floor is raised before the returned view is read.
   */
  catchUp(seen: Clock, tags: readonly string[]): Promise<TagView>
  /** The fence of a generation that began at `time`; undefined when nothing was known by then. */
  fenceAt(time: LocalMillis): Clock | undefined
  toServer(local: LocalMillis): ServerMicros
  toLocal(server: ServerMicros): LocalMillis
  /** Runs when invalidations may get through again. */
  onReady(listener: () => void): void
  close(): Promise<void>
}
