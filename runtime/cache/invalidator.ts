import { DistributedCacheError, messageOf } from '../../src/errors'
import type { ResolvedOptions } from '../../src/options'
import { localNow } from '../../src/server-time'
import type { Store } from '../../src/store'
import type { TagChange } from '../../src/tag-state'
import type { Milliseconds } from '../../src/units'
import type { Logger } from '../logger'
import type { Emit } from '../telemetry'
import { orAfter } from '../within'
import type { Journal } from './journal'

const RETRY_MS: Milliseconds = 1_000
/** Tags of one script call: a longer one would hold up the server, and everybody who asks it. */
const MAX_TAGS_PER_CALL = 1_000
/** Topics of the log, of which each is the end of the other. */
const WAITING = 'Invalidations still wait for Redis'
const APPLIED = 'Invalidations that waited for Redis are applied'

interface Batch {
  readonly changes: TagChange[]
  readonly done: Promise<Failure | undefined>
}

/** Why what a caller announced is not acknowledged as it asked for. */
type Failure = string

export interface InvalidatorOptions {
  readonly store: Store
  readonly journal: Journal
  readonly options: ResolvedOptions['invalidations']
  /** How long a caller waits while the journal is applied, and the end of the process for the last attempt. */
  readonly patienceMs: Milliseconds
  readonly emit: Emit
  readonly log: Logger
}

/**
 * Sends invalidations. Next announces one `revalidateTag` through both interfaces at once: what arrives in
 * one turn goes out as one script, unless it is huge. What cannot be sent, or is refused, is journalled, retried
 * until applied, and never silent.
 */
export class Invalidator {
  private batch: Batch | undefined
  private retry: NodeJS.Timeout | undefined
  private flushing: Promise<void> | undefined
  /** What was sent and has no answer yet, by the changes of its batch. */
  private readonly sending = new Map<readonly TagChange[], Promise<unknown>>()
  private closed = false
  private saidLost = false

  constructor(private readonly parts: InvalidatorOptions) {
    parts.store.onReady(() => void this.flush())
  }

  /**
   * Resolves when the invalidation is acknowledged or kept for retry.
   *
   * @throws DistributedCacheError INVALIDATION for a hard one that is not acknowledged, where the options ask for that.
   * Never for a soft one: Next would leave the response of a server action open for ever.
   */
  async invalidate(changes: readonly TagChange[]): Promise<void> {
    if (changes.length === 0) return
    const failure = await this.join(changes)
    const isHard = changes.some(({ windowMicros }) => windowMicros === undefined)
    if (failure === undefined || !isHard || this.parts.options.onFailure === 'journal') return
    throw new DistributedCacheError('INVALIDATION', failure)
  }

  private join(changes: readonly TagChange[]): Promise<Failure | undefined> {
    const batch = (this.batch ??= this.begin())
    // Not spread into the arguments of one call: there may be more of them than an engine takes.
    for (const change of changes) batch.changes.push(change)
    return batch.done
  }

  private begin(): Batch {
    const changes: TagChange[] = []
    const done = this.sendInNextTurn(changes)
    this.sending.set(changes, done)
    return { changes, done }
  }

  /** Never rejects. */
  private async sendInNextTurn(changes: TagChange[]): Promise<Failure | undefined> {
    await Promise.resolve()
    this.batch = undefined
    try {
      return await this.send(dedupe(changes))
    } finally {
      this.sending.delete(changes)
    }
  }

  /** Never rejects. */
  private async send(changes: readonly TagChange[]): Promise<Failure | undefined> {
    const { journal, log } = this.parts
    // Behind the journal: the order of invalidations of one tag is kept.
    if (journal.behind) return this.sendBehind(changes)
    const { applied, failure } = await this.apply(changes)
    if (failure === undefined) return this.confirm()
    log('An invalidation could not be sent and will be retried', failure)
    this.keep(changes.slice(applied))
    return notAcknowledged(changes.length - applied, failure)
  }

  private async sendBehind(changes: readonly TagChange[]): Promise<Failure | undefined> {
    const { journal, patienceMs } = this.parts
    this.keep(changes)
    await orAfter(this.flushed(), patienceMs)
    if (journal.behind) return notAcknowledged(changes.length, 'others wait before it')
    return this.confirm()
  }

  /** A flush under way does not hold what came after its beginning. */
  private async flushed(): Promise<void> {
    await this.flushing
    await this.flush()
  }

  /** Applies the changes in their order, in calls that the server can bear, up to the first that fails. */
  private async apply(
    changes: readonly TagChange[],
  ): Promise<{ applied: number; failure: Failure | undefined }> {
    const startedAt = localNow()
    let applied = 0
    let failure: Failure | undefined
    while (applied < changes.length && failure === undefined) {
      const call = changes.slice(applied, applied + MAX_TAGS_PER_CALL)
      try {
        await this.parts.store.invalidate(call)
        applied += call.length
      } catch (error) {
        failure = messageOf(error)
      }
    }
    const tags = changes.slice(0, applied).map(({ tag }) => tag)
    if (applied > 0) this.parts.emit('invalidated', { tags, ms: localNow() - startedAt })
    return { applied, failure }
  }

  /** Whether as many replicas of Redis have it as the options ask for. */
  private confirm(): Promise<Failure | undefined> | undefined {
    const { replicas } = this.parts.options
    return replicas === 0 ? undefined : this.confirmBy(replicas)
  }

  private async confirmBy(wanted: number): Promise<Failure | undefined> {
    const { store, emit, log } = this.parts
    let confirmed = 0
    let reason = ''
    try {
      confirmed = await store.confirm()
    } catch (error) {
      reason = ` (${messageOf(error)})`
    }
    if (confirmed >= wanted) return undefined
    emit('unconfirmed', { confirmed, wanted })
    const said = `${confirmed} of ${wanted} replicas of Redis confirmed it${reason}`
    log('An invalidation is applied, but a failover may lose it', said)
    return `An invalidation is applied, but ${said}. Check the replication of Redis, and the option "invalidations.replicas".`
  }

  private keep(changes: readonly TagChange[]): void {
    const { journal, emit, log } = this.parts
    const { overflow } = journal
    journal.add(changes)
    const overflowed = journal.overflow !== overflow
    emit('journalled', { tags: changes.length, pending: journal.size, overflowed })
    if (overflowed)
      log('The journal of invalidations is full', 'every entry of the application will be invalidated')
    this.scheduleRetry()
  }

  private scheduleRetry(): void {
    if (this.closed) return
    this.retry ??= setTimeout(() => {
      this.retry = undefined
      void this.flush()
    }, RETRY_MS)
    this.retry.unref()
  }

  /** Applies the journal; joins an attempt that is under way. Never rejects. */
  flush(): Promise<void> {
    if (!this.parts.journal.behind) return Promise.resolve()
    this.flushing ??= this.applyJournal().finally(() => {
      this.flushing = undefined
    })
    return this.flushing
  }

  private async applyJournal(): Promise<void> {
    const { store, journal, log } = this.parts
    const { overflow, changes } = journal
    let failure: Failure | undefined
    try {
      if (overflow > 0) await store.invalidateEverything()
      journal.settleOverflow(overflow)
      const outcome = await this.apply(changes)
      journal.settle(changes.slice(0, outcome.applied))
      failure = outcome.failure
    } catch (error) {
      failure = messageOf(error)
    }
    if (failure !== undefined) log(WAITING, `${journal.size} tags, ${failure}`, APPLIED)
    else log(APPLIED, overflow > 0 ? 'all' : `${changes.length} tags`, WAITING)
    if (journal.behind) this.scheduleRetry()
  }

  /** The process ends: one last attempt, bounded, and a loud word about what is lost. Never rejects. */
  async close(): Promise<void> {
    const { patienceMs } = this.parts
    if (this.closed) return
    this.closed = true
    clearTimeout(this.retry)
    const lastAttempt = Promise.all(this.sending.values()).then(() => this.flush())
    await orAfter(lastAttempt, patienceMs)
    this.sayWhatIsLost()
  }

  /** For the very end, once. */
  sayWhatIsLost(): void {
    const { journal, emit, log } = this.parts
    if (!journal.behind || this.saidLost) return
    this.saidLost = true
    const tags = journal.size
    const everything = journal.overflow > 0
    emit('lost', { tags, everything })
    // An attempt under way may arrive, but nobody will be here for the answer.
    const taken = this.flushing === undefined ? 'never took' : 'may not have taken'
    log(
      `This process ends with invalidations that Redis ${taken}`,
      `${everything ? 'all entries of the application were' : `${tags} tags were`} to be invalidated. Other replicas may serve older content: invalidate again`,
    )
  }
}

function notAcknowledged(tags: number, reason: string): Failure {
  return `An invalidation of ${tags} tags did not reach Redis (${reason}). It is kept and will be retried; check Redis.`
}

/** Both interfaces announce the same tags: one record each is enough. Different windows of a tag stay. */
function dedupe(changes: readonly TagChange[]): TagChange[] {
  const seen = new Map<string, TagChange>()
  for (const change of changes) seen.set(`${change.windowMicros ?? 'hard'} ${change.tag}`, change)
  return [...seen.values()]
}
