import { type BusMessage, parseBusMessage } from '../../src/bus-message'
import { isLaneOf } from '../../src/lanes'
import { localNow } from '../../src/server-time'
import type { Clock, LocalMillis, Milliseconds } from '../../src/units'
import type { RedisClient } from '../clients/client'
import { dropOldest } from '../drop-oldest'

/**
 * How long one heartbeat heard back proves the subscription. Heartbeats come every second, so that one may be
 * lost; what is served from memory is never older than this.
 */
const PROOF_LIFE_MS: Milliseconds = 1_900
/** A subscription that nobody needs any more is kept this long. */
const LINGER_MS: Milliseconds = 5_000
/** Publishers whose numbers are remembered. One that was forgotten is a gap when it speaks again. */
const MAX_PUBLISHERS = 10_000

export interface BusListener {
  /** The subscription is live; a heartbeat sent now proves it soon. */
  onLive(): void
  /** An invalidation, in the order of the clock. */
  onInvalidation(message: Extract<BusMessage, { kind: 'invalidate' }>): void
  /** Messages may have been missed: nothing that rests on them holds. */
  onGap(reason: GapReason): void
  /** The entry under a key was replaced, or its lease ended. */
  onKey(key: string, kind: 'write' | 'release', byThisProcess: boolean): void
}

export type GapReason =
  | 'subscribed'
  | 'clock'
  | 'floor'
  | 'restore'
  | 'sequence'
  | 'unknown-publisher'
  | 'malformed'
  | 'implausible'

export interface BusOptions {
  readonly client: Pick<RedisClient, 'subscribe'>
  readonly channel: string
  /** Names this process; its heartbeats heard back are what proves the subscription. */
  readonly publisher: string
  readonly listener: BusListener
  /**
   * Whether the server's clock can have come this far. Anybody who may publish can claim it, and whoever believed a
   * clock from the future would take what follows for old.
   */
  readonly isPlausible: (clock: Clock) => boolean
}

/**
 * The subscription to what other replicas say, and whether it can be trusted: it is live, this process heard
 * its own heartbeat back a moment ago, and nothing is missing in between.
 */
export class Bus {
  private subscription: { close(): Promise<void> } | undefined
  private users = 0
  private lingering: NodeJS.Timeout | undefined
  private live = false
  /** When this process sent the last heartbeat of its own that it heard back. */
  private heardSelfAt: LocalMillis = -Infinity
  private clockHeard: Clock = 0
  /** The last sequence number of each publisher. */
  private readonly sequences = new Map<string, number>()
  private readonly whenLive = new Set<() => void>()

  constructor(private readonly options: BusOptions) {}

  /** The clock up to which every invalidation has been heard. */
  get clock(): Clock {
    return this.clockHeard
  }

  /**
   * Whether everything that was published until two seconds ago has been heard.
   *
   * @param now the time, which whoever asks knows
   */
  provenAt(now: LocalMillis): boolean {
    return this.live && now - this.heardSelfAt < PROOF_LIFE_MS
  }

  /** Whether it was proven less than two seconds ago, alive or not, and nothing has been missed since then. */
  get withinGrace(): boolean {
    return localNow() - this.heardSelfAt < PROOF_LIFE_MS
  }

  get subscribed(): boolean {
    return this.live
  }

  /** Needs the subscription until the returned function is called. */
  use(): () => void {
    this.users++
    clearTimeout(this.lingering)
    this.subscription ??= this.options.client.subscribe(
      this.options.channel,
      (payload) => this.receive(payload),
      (live) => this.changed(live),
    )
    let used = true
    return () => {
      if (!used) return
      used = false
      if (--this.users > 0) return
      this.lingering = setTimeout(() => void this.close(), LINGER_MS)
      this.lingering.unref()
    }
  }

  /** Calls back once the subscription is live; the returned function withdraws that. */
  onceLive(callback: () => void): () => void {
    if (this.live) callback()
    else this.whenLive.add(callback)
    return () => void this.whenLive.delete(callback)
  }

  async close(): Promise<void> {
    clearTimeout(this.lingering)
    const closing = this.subscription
    this.subscription = undefined
    this.live = false
    this.heardSelfAt = -Infinity
    await closing?.close()
  }

  private changed(live: boolean): void {
    this.live = live
    this.sequences.clear()
    if (!live) return
    this.heardSelfAt = -Infinity
    this.gap(this.clockHeard, 'subscribed')
    this.options.listener.onLive()
    for (const callback of this.whenLive) {
      this.whenLive.delete(callback)
      callback()
    }
  }

  private gap(clock: Clock, reason: GapReason): void {
    this.clockHeard = Math.max(this.clockHeard, clock)
    this.options.listener.onGap(reason)
  }

  private receive(payload: Buffer): void {
    const message = parseBusMessage(payload)
    if (message === undefined) return this.gap(this.clockHeard, 'malformed')
    const { listener, publisher, isPlausible } = this.options
    if ('clock' in message) {
      if (!isPlausible(message.clock)) return this.gap(this.clockHeard, 'implausible')
      // The clock only moves forward, and the server publishes in its order: one of the two was never true.
      if (message.clock < this.clockHeard) {
        this.clockHeard = 0
        this.gap(message.clock, 'clock')
      }
    }
    switch (message.kind) {
      case 'floor':
      case 'restore':
        return this.gap(message.clock, message.kind)
      case 'invalidate':
        this.count(message.publisher, message.sequence, true)
        if (message.clock <= this.clockHeard) return
        if (message.before > this.clockHeard) this.gap(message.before, 'clock')
        this.clockHeard = message.clock
        return listener.onInvalidation(message)
      case 'write':
      case 'release':
        this.count(message.publisher, message.sequence, true)
        return listener.onKey(message.key, message.kind, isLaneOf(message.publisher, publisher))
      case 'lane':
        return this.count(message.publisher, message.sequence, false)
      case 'heartbeat':
        this.count(message.publisher, message.sequence, false)
        if (message.clock > this.clockHeard) this.gap(message.clock, 'clock')
        if (isLaneOf(message.publisher, publisher)) this.heardSelfAt = Math.min(message.sentAt, localNow())
    }
  }

  /** Notices what is missing between a publisher's messages; a heartbeat repeats the last number. */
  private count(from: string, sequence: number, isNew: boolean): void {
    const last = this.sequences.get(from)
    this.sequences.delete(from)
    this.sequences.set(from, Math.max(sequence, last ?? 0))
    dropOldest(this.sequences, MAX_PUBLISHERS)
    if (last === undefined) {
      // Whoever speaks for the first time and has spoken before may have said something that was lost.
      if (sequence > (isNew ? 1 : 0)) this.gap(this.clockHeard, 'unknown-publisher')
    } else if (sequence > last + (isNew ? 1 : 0)) {
      this.gap(this.clockHeard, 'sequence')
    }
  }
}
