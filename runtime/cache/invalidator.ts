import type { TagChange } from '../../src/tag-state'
import { localNow } from '../../src/server-time'
import type { Milliseconds } from '../../src/units'
import type { Logger } from '../logger'
import type { Store } from '../../src/store'
import type { Emit } from '../telemetry'

/** Distinct tags kept while Redis is away; past it, all of them become one: everything. */
const MAX_JOURNAL_TAGS = 10_000
const RETRY_MS: Milliseconds = 1_000

interface Batch {
  readonly changes: TagChange[]
  readonly done: Promise<void>
}

/**
 * Sends invalidations. Next announces one `revalidateTag` through both interfaces at once: what arrives in
 * one turn goes out as one script. What cannot be sent is kept, retried until applied, and
 * never silent; meanwhile nothing is served from the store, so that no reader sees what was invalidated.
 */
export class Invalidator {
  private batch: Batch | undefined
  private readonly journal = new Map<string, TagChange>()
  /** The journal overflowed: the whole application is to be invalidated. */
  private everything = false
  private retry: NodeJS.Timeout | undefined
  private flushing: Promise<void> | undefined

  constructor(
    private readonly store: Store,
    private readonly emit: Emit,
    private readonly log: Logger,
  ) {
    store.onReady(() => void this.flush())
  }

  /** True while an invalidation of this process has not reached the store. */
  get behind(): boolean {
    return this.everything || this.journal.size > 0
  }

  /** Resolves when the invalidation is acknowledged or kept for retry. Never rejects. */
  invalidate(changes: readonly TagChange[]): Promise<void> {
    if (changes.length === 0) return Promise.resolve()
    if (this.batch === undefined) {
      const collected: TagChange[] = []
      const batch: Batch = {
        changes: collected,
        done: Promise.resolve().then(() => {
          this.batch = undefined
          return this.send(dedupe(collected))
        }),
      }
      this.batch = batch
    }
    this.batch.changes.push(...changes)
    return this.batch.done
  }

  private async send(changes: readonly TagChange[]): Promise<void> {
    // Behind the journal: the order of invalidations of one tag is kept.
    if (this.behind) return this.keep(changes)
    const startedAt = localNow()
    try {
      await this.store.invalidate(changes)
      this.emit('invalidated', { tags: changes.map(({ tag }) => tag), ms: localNow() - startedAt })
    } catch (error) {
      this.log('An invalidation could not be sent and will be retried', String(error))
      this.keep(changes)
    }
  }

  private keep(changes: readonly TagChange[]): void {
    for (const change of changes) {
      const kept = this.journal.get(change.tag)
      // Hard covers soft, and of two windows the shorter one covers the other.
      const windowMicros =
        kept === undefined
          ? change.windowMicros
          : kept.windowMicros === undefined || change.windowMicros === undefined
            ? undefined
            : Math.min(kept.windowMicros, change.windowMicros)
      this.journal.set(change.tag, { tag: change.tag, windowMicros })
    }
    this.emit('journalled', { tags: changes.length, pending: this.journal.size })
    if (this.journal.size > MAX_JOURNAL_TAGS) {
      this.log('The journal of invalidations is full', 'every entry of the application will be invalidated')
      this.journal.clear()
      this.everything = true
    }
    this.scheduleRetry()
  }

  private scheduleRetry(): void {
    this.retry ??= setTimeout(() => {
      this.retry = undefined
      void this.flush()
    }, RETRY_MS)
    this.retry.unref()
  }

  /** Applies the journal; joins an attempt that is under way. */
  flush(): Promise<void> {
    if (!this.behind) return Promise.resolve()
    this.flushing ??= this.applyJournal().finally(() => {
      this.flushing = undefined
    })
    return this.flushing
  }

  private async applyJournal(): Promise<void> {
    const changes = [...this.journal.values()]
    const startedAt = localNow()
    try {
      if (this.everything) {
        await this.store.invalidateEverything()
        this.everything = false
      }
      if (changes.length > 0) await this.store.invalidate(changes)
      // A change that came meanwhile replaced the object and stays.
      for (const change of changes)
        if (this.journal.get(change.tag) === change) this.journal.delete(change.tag)
      this.emit('invalidated', { tags: changes.map(({ tag }) => tag), ms: localNow() - startedAt })
    } catch (error) {
      this.log('Invalidations still wait for Redis', `${this.journal.size} tags, ${String(error)}`)
    }
    if (this.behind) this.scheduleRetry()
  }
}

/** Both interfaces announce the same tags: one record each is enough. Different windows of a tag stay. */
function dedupe(changes: readonly TagChange[]): TagChange[] {
  const seen = new Map<string, TagChange>()
  for (const change of changes) seen.set(`${change.windowMicros ?? 'hard'} ${change.tag}`, change)
  return [...seen.values()]
}
