import { DistributedCacheError } from '../../src/errors'
import { localNow } from '../../src/server-time'
import type { LocalMillis, Milliseconds } from '../../src/units'
import type { CircuitChange, ConnectionEvent, RedisClient, RedisCommand, RedisReply } from './client'
import { clientError } from './client-errors'
import { retryDelayMs } from './connection'
import { guarded } from './guarded'

/** Timeouts in a row after which a server counts as hung. Replies come in order: none of them had one before it. */
const TIMEOUTS_TO_OPEN = 3
const PING: readonly RedisCommand[] = [{ key: undefined, args: ['PING'] }]

export interface CircuitOptions {
  /** A command that was given less says little about the server, in milliseconds. */
  readonly commandMs: Milliseconds
  readonly onChange?: (change: CircuitChange) => void
}

/** One connection to one server. */
export type Endpoint = Pick<RedisClient, 'ready' | 'send'>

/**
 * Does not ask a server which cannot answer. Opens when the connection is lost, or after a few timeouts in a row;
 * an error reply is an answer. While open, a command costs a property check: it is refused with one error that all
 * of them share. Only the circuit itself asks whether the server is back: PING, with jitter, or at once when the
 * connection came back, which was dialled with jitter. Its `ready` and its events are those of a connection that
 * can be used, so that whoever greets a new connection greets a recovered one, too.
 *
 * One per server: what it refuses says nothing of others, and does not open a circuit around it.
 */
export class Circuit implements Endpoint {
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
    private readonly endpoint: Endpoint,
    private readonly options: CircuitOptions,
    private readonly announce: (event: ConnectionEvent) => void,
  ) {}

  get ready(): boolean {
    return this.refusal === undefined && this.endpoint.ready
  }

  /** Why nothing is asked; undefined while it is closed. */
  get refusing(): DistributedCacheError | undefined {
    return this.refusal
  }

  /** Something happened to the connection. */
  hear(event: ConnectionEvent): void {
    if (event.type === 'end') this.open(event.reason)
    else if (this.refusal === undefined) this.announce(event)
    else this.probe()
  }

  send(commands: readonly RedisCommand[], timeoutMs?: Milliseconds): Promise<RedisReply[]> {
    if (this.refusal !== undefined) {
      this.refused++
      return Promise.reject(this.refusal)
    }
    const replies = this.endpoint.send(commands, timeoutMs)
    replies.then(
      () => this.answered(),
      (error: unknown) => this.failed(error, timeoutMs),
    )
    return replies
  }

  /** Asks nothing any more. The connection is its owner's to close. */
  close(): void {
    this.closed = true
    clearTimeout(this.timer)
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
    if (this.closed || !this.endpoint.ready) return
    this.timer = setTimeout(() => this.probe(), retryDelayMs(this.probes++)).unref()
  }

  private probe(): void {
    if (this.probing || !this.endpoint.ready) return
    clearTimeout(this.timer)
    this.probing = true
    this.endpoint.send(PING, this.options.commandMs).then(
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
