import { DistributedCacheError } from '../../src/errors'
import { localNow } from '../../src/server-time'
import type { LocalMillis, Milliseconds } from '../../src/units'
import type { ConnectionEvent, RedisClient, RedisCommand, RedisReply } from './client'
import { closedError, retryDelayMs } from './connection'
import { guarded } from './guarded'
import { clientError } from './session'

/** Timeouts in a row after which a server counts as hung. Replies come in order: none of them had one before it. */
const TIMEOUTS_TO_OPEN = 3
const PING: readonly RedisCommand[] = [{ key: undefined, args: ['PING'] }]

export interface CircuitChange {
  readonly state: 'open' | 'closed'
  /** Why it opened. */
  readonly reason: string
  /** Commands that were refused while it was open. */
  readonly refused: number
  /** How long it was open. */
  readonly ms: Milliseconds
}

export interface BreakerOptions {
  /** A command that was given less says little about the server, in milliseconds. */
  readonly commandMs: Milliseconds
  readonly onChange?: (change: CircuitChange) => void
}

/**
 * A client that does not ask a server which cannot answer. Opens when the connection is lost, or after a few
 * timeouts in a row; an error reply is an answer. While open, a command costs a property check: it is refused
 * with one error that all of them share. Only the breaker itself asks whether the server is back: PING, with
 * jitter, or at once when the connection came back, which was dialled with jitter. Its `ready` and its events
 * are those of a connection that can be used, so that whoever greets a new connection greets a recovered one, too.
 *
 * Wraps the client of one endpoint. What an inner breaker refuses does not open an outer one.
 */
export class CircuitBreaker implements RedisClient {
  private readonly listeners = new Set<(event: ConnectionEvent) => void>()
  private readonly waiters = new Set<(error?: Error) => void>()
  private refusal: DistributedCacheError | undefined
  private reason = ''
  private openedAt: LocalMillis = 0
  private refused = 0
  private timeouts = 0
  /** Since a command was last answered. */
  private probes = 0
  private probing = false
  private timer: NodeJS.Timeout | undefined
  private closed = false

  constructor(
    private readonly inner: RedisClient,
    private readonly options: BreakerOptions,
  ) {
    inner.onEvent((event) => {
      if (event.type === 'end') this.open(event.reason)
      else if (this.refusal === undefined) this.announce(event)
      else this.probe()
    })
  }

  get ready(): boolean {
    return this.refusal === undefined && this.inner.ready
  }

  send(commands: readonly RedisCommand[], timeoutMs?: Milliseconds): Promise<RedisReply[]> {
    if (this.refusal !== undefined) {
      this.refused++
      return Promise.reject(this.refusal)
    }
    const replies = this.inner.send(commands, timeoutMs)
    replies.then(
      () => this.answered(),
      (error: unknown) => this.failed(error, timeoutMs),
    )
    return replies
  }

  waitUntilReady(timeoutMs: Milliseconds): Promise<void> {
    if (this.ready) return Promise.resolve()
    if (this.closed) return Promise.reject(closedError())
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => {
        clearTimeout(timer)
        this.waiters.delete(settle)
        if (error === undefined) resolve()
        else reject(error)
      }
      const timer = setTimeout(() => settle(this.refusal ?? clientError('Redis is not connected')), timeoutMs)
      this.waiters.add(settle)
    })
  }

  onEvent(listener: (event: ConnectionEvent) => void): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  /** Has a connection of its own, which looks after itself. */
  subscribe(...subscription: Parameters<RedisClient['subscribe']>): ReturnType<RedisClient['subscribe']> {
    return this.inner.subscribe(...subscription)
  }

  async close(): Promise<void> {
    this.closed = true
    clearTimeout(this.timer)
    for (const settle of this.waiters) settle(closedError())
    await this.inner.close()
  }

  private answered(): void {
    this.timeouts = 0
    this.probes = 0
  }

  private failed(error: unknown, timeoutMs = this.options.commandMs): void {
    if (this.refusal !== undefined || timeoutMs < this.options.commandMs) return
    if (!(error instanceof DistributedCacheError) || error.code !== 'TIMEOUT') return
    if (++this.timeouts >= TIMEOUTS_TO_OPEN) this.open('Redis does not answer')
  }

  private open(reason: string): void {
    if (this.closed) return
    const opens = this.refusal === undefined
    if (opens || reason !== this.reason) {
      this.reason = reason
      this.refusal = clientError(`Redis is not asked for the moment: ${reason}`)
    }
    if (!opens) return
    this.openedAt = localNow()
    this.refused = 0
    this.announce({ type: 'end', reason })
    this.report('open')
    this.probeLater()
  }

  private probeLater(): void {
    clearTimeout(this.timer)
    // Without a connection there is nothing to ask; a new one is asked as soon as it is there.
    if (this.closed || !this.inner.ready) return
    this.timer = setTimeout(() => this.probe(), retryDelayMs(this.probes++)).unref()
  }

  private probe(): void {
    if (this.probing || !this.inner.ready) return
    clearTimeout(this.timer)
    this.probing = true
    this.inner.send(PING, this.options.commandMs).then(
      ([reply]) => {
        this.probing = false
        if (isRefusal(reply)) this.probeLater()
        else this.recover()
      },
      () => {
        this.probing = false
        this.probeLater()
      },
    )
  }

  /** Half open: the next command that times out opens it again. */
  private recover(): void {
    if (this.closed || this.refusal === undefined) return
    this.refusal = undefined
    this.timeouts = TIMEOUTS_TO_OPEN - 1
    this.report('closed')
    this.announce({ type: 'ready' })
  }

  private announce(event: ConnectionEvent): void {
    for (const listener of this.listeners) guarded(() => listener(event))
    if (event.type === 'ready') for (const settle of this.waiters) settle()
  }

  private report(state: CircuitChange['state']): void {
    const { reason, refused, openedAt } = this
    const ms = state === 'open' ? 0 : localNow() - openedAt
    guarded(() => this.options.onChange?.({ state, reason, refused, ms }))
  }
}

/** LOADING, BUSY and their like: whoever answers so to PING answers so to everything. An ACL may forbid PING alone. */
function isRefusal(reply: RedisReply | undefined): boolean {
  return reply instanceof Error && !reply.message.startsWith('NOPERM')
}
