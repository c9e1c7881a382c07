import type { Origin } from './lanes'
import type { TagChange } from './tag-state'
import { type Bytes, type Clock, type LocalMillis, NEVER, parseMicros, type ServerMicros } from './units'

/**
 * What replicas tell each other over Pub/Sub. A message is a word, numbers that a script fills in, and JSON
 * that the publisher made:
 *
 * ```
 * invalidate <clock before> <clock> <server time> {"p":publisher,"s":sequence,"c":[[tag,windowMicros|null],…]}
 * floor      <clock>                                 the floor was raised to it
 * restore    <clock>                                 older invalidations are known again: what was learnt is void
 * write      {"p":publisher,"s":sequence,"k":key}    an entry was offered to the store
 * release    {"p":publisher,"s":sequence,"k":key}    a lease ended without an entry
 * heartbeat  <clock> {"p":publisher,"s":sequence,"a":sent at}   repeats the last sequence number
 * lane       {"p":publisher,"s":sequence}            repeats that of a node that does not hold the tag state
 * ```
 *
 * Invalidations chain by their clocks, everything else by the publisher's sequence: what is missing shows.
 */
export type BusMessage =
  | {
      kind: 'invalidate'
      before: Clock
      clock: Clock
      now: ServerMicros
      publisher: string
      sequence: number
      changes: TagChange[]
    }
  | { kind: 'floor' | 'restore'; clock: Clock }
  | { kind: 'write' | 'release'; publisher: string; sequence: number; key: string }
  | { kind: 'lane'; publisher: string; sequence: number }
  | { kind: 'heartbeat'; clock: Clock; publisher: string; sequence: number; sentAt: LocalMillis }

export function invalidatePayload({ publisher, sequence }: Origin, changes: readonly TagChange[]): string {
  const c = changes.map(({ tag, windowMicros }) => [
    tag,
    windowMicros === undefined ? null : Math.round(windowMicros),
  ])
  return JSON.stringify({ p: publisher, s: sequence, c })
}

export function keyPayload({ publisher, sequence }: Origin, key: string): string {
  return JSON.stringify({ p: publisher, s: sequence, k: key })
}

export function heartbeatPayload({ publisher, sequence }: Origin, sentAt: LocalMillis): string {
  return JSON.stringify({ p: publisher, s: sequence, a: sentAt })
}

export function lanePayload({ publisher, sequence }: Origin): string {
  return JSON.stringify({ p: publisher, s: sequence })
}

/** A full journal of invalidations is smaller. */
const MAX_MESSAGE_BYTES: Bytes = 16 * 1024 * 1024

/** Undefined when the bytes are no message of ours: they come from outside and prove nothing. */
export function parseBusMessage(payload: Buffer): BusMessage | undefined {
  if (payload.length > MAX_MESSAGE_BYTES) return undefined
  const text = payload.toString('utf8')
  try {
    const at = text.indexOf('{')
    const words = (at === -1 ? text : text.slice(0, at)).trim().split(' ')
    const numbers = words.slice(1).map(micros)
    const json = at === -1 ? {} : (JSON.parse(text.slice(at)) as Record<string, unknown>)
    return build(words[0], numbers, json)
  } catch {
    return undefined
  }
}

function build(
  kind: string | undefined,
  numbers: number[],
  json: Record<string, unknown>,
): BusMessage | undefined {
  const [first, second, third] = numbers
  if (kind === 'floor' || kind === 'restore') return first === undefined ? undefined : { kind, clock: first }
  const { p: publisher, s: sequence } = json
  if (typeof publisher !== 'string' || !Number.isSafeInteger(sequence)) return undefined
  const from = { publisher, sequence: sequence as number }
  switch (kind) {
    case 'invalidate':
      if (first === undefined || second === undefined || third === undefined) return undefined
      return { kind, before: first, clock: second, now: third, ...from, changes: changesOf(json['c']) }
    case 'write':
    case 'release':
      return typeof json['k'] === 'string' ? { kind, key: json['k'], ...from } : undefined
    case 'lane':
      return { kind, ...from }
    case 'heartbeat':
      if (first === undefined || typeof json['a'] !== 'number') return undefined
      return { kind, clock: first, sentAt: json['a'], ...from }
    default:
      return undefined
  }
}

function changesOf(list: unknown): TagChange[] {
  if (!Array.isArray(list)) throw new Error('no list of changes')
  return list.map((change: unknown) => {
    if (!Array.isArray(change) || typeof change[0] !== 'string') throw new Error('no tag')
    const window: unknown = change[1]
    if (window === null) return { tag: change[0], windowMicros: undefined }
    if (typeof window !== 'number' || !(window >= 0) || window > NEVER) throw new Error('no window')
    return { tag: change[0], windowMicros: window }
  })
}

function micros(text: string): number {
  const value = parseMicros(text)
  if (value === undefined) throw new Error('no number')
  return value
}
