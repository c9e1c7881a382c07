import { channel } from 'node:diagnostics_channel'
import type { EntryScope } from '../src/key-names'
import type { RecordFault } from '../src/record'
import type { Verdict } from '../src/tag-state'
import type { Bytes, Milliseconds } from '../src/units'

/** Why a write stored nothing. */
export type SkipReason = 'no-fence' | 'expire-0' | 'too-large' | 'stream-error' | 'unavailable'

export type Tier = 'local' | 'unchanged' | 'store' | 'build' | 'none'

/**
 * What the runtime reports, by event name. Each is published on the `node:diagnostics_channel` named
 * `next-distributed-cache:<event>`, which costs nothing without a subscriber and works across copies of this
 * module. Messages carry hashes and tags, never raw cache keys. docs/operations.md is this list for users.
 */
export interface TelemetryEvents {
  /** A read was answered; `verdict` is undefined on a miss of the store. */
  read: {
    scope: EntryScope
    key: string
    result: 'hit' | 'miss'
    /** local: no round trip; unchanged: the body was not transferred; store: it was; build: prerendered; none: no answer */
    tier: Tier
    verdict: Verdict | undefined
    /** An old entry was served as if fresh, because another replica is refreshing it. */
    masked: boolean
    ms: Milliseconds
  }
  /** Something under a key was no entry of ours. */
  fault: { key: string; fault: RecordFault }
  /** Records in the tag state that nobody can read: each counts as a hard invalidation of its tag, at that moment. */
  damaged: { records: number }
  write: { scope: EntryScope; key: string; outcome: 'stored' | 'superseded'; bytes: Bytes; ms: Milliseconds }
  skip: { scope: EntryScope; key: string; reason: SkipReason }
  /** Somebody claimed the right to generate, or gave it up because no entry came. */
  lease: { key: string; role: 'leader' | 'gave-up' }
  /** A reader waited for another replica's generation. */
  waited: { key: string; outcome: 'served' | 'led' | 'gave-up'; ms: Milliseconds }
  /** The bus missed something, or may have: what rests on it must be proven again. */
  gap: { reason: string }
  /** An invalidation is acknowledged: it is final from here on. */
  invalidated: { tags: readonly string[]; ms: Milliseconds }
  /** The circuit breaker: nothing is asked while it is open. Refused: commands; both are 0 when it opens. */
  circuit: { state: 'open' | 'closed'; reason: string; refused: number; ms: Milliseconds }
  /** An invalidation could not be sent, or was refused; it is kept and retried. Overflowed: for all tags there are. */
  journalled: { tags: number; pending: number; overflowed: boolean }
  /** Fewer replicas of Redis than wanted confirmed an invalidation; the primary has it. */
  unconfirmed: { confirmed: number; wanted: number }
  /** Redis had lost tags that were invalidated in the last minute (a failover); it knows of them again. */
  restored: { tags: number }
  /** The process ends, and nobody else knows of these invalidations. */
  lost: { tags: number; everything: boolean }
  /** The store could not answer. */
  unavailable: { what: string; message: string }
}

export type TelemetryEvent = keyof TelemetryEvents

export const CHANNEL_PREFIX = 'next-distributed-cache:'

/** A record, so that the compiler knows of one that is missing: nobody would ever hear of it. */
const ALL_EVENTS: Readonly<Record<TelemetryEvent, true>> = {
  read: true,
  fault: true,
  damaged: true,
  write: true,
  skip: true,
  lease: true,
  waited: true,
  gap: true,
  invalidated: true,
  journalled: true,
  circuit: true,
  unconfirmed: true,
  restored: true,
  lost: true,
  unavailable: true,
}
export const EVENTS = Object.keys(ALL_EVENTS) as readonly TelemetryEvent[]

const channels = new Map(EVENTS.map((event) => [event, channel(CHANNEL_PREFIX + event)]))

/** A message that is made for each read is given as what makes it: nobody listens, as a rule. */
export type Emit = <E extends TelemetryEvent>(
  event: E,
  message: TelemetryEvents[E] | (() => TelemetryEvents[E]),
) => void

/** Publishes events; with `debug`, also prints one line each. */
export function createEmit(debug: boolean): Emit {
  return (event, message) => {
    const target = channels.get(event)
    if (!debug && !target?.hasSubscribers) return
    const said = typeof message === 'function' ? message() : message
    target?.publish(said)
    if (debug) console.log(`next-distributed-cache: ${event} ${JSON.stringify(said)}`)
  }
}
