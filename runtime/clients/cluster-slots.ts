import { SLOT_COUNT } from '../../src/hash-slot'
import type { RedisReply } from './client'

/** The primary of each slot, as `host:port`; undefined where nobody serves the slot. */
export type SlotOwners = (string | undefined)[]

/**
 * Reply to CLUSTER SLOTS; undefined when it is none.
 * @param asked host that was asked: a node that does not know its own address means that one
 */
export function parseClusterSlots(reply: RedisReply | undefined, asked: string): SlotOwners | undefined {
  if (!Array.isArray(reply)) return undefined
  const owners: SlotOwners = Array.from({ length: SLOT_COUNT })
  for (const range of reply as RedisReply[]) {
    if (!Array.isArray(range)) return undefined
    const [first, last, primary] = range as RedisReply[]
    if (typeof first !== 'number' || typeof last !== 'number' || !Array.isArray(primary)) return undefined
    const [endpoint, port, , metadata] = primary as RedisReply[]
    if (typeof port !== 'number' || first < 0 || last >= SLOT_COUNT) return undefined
    const address = addressOf(
      hostOf(text(endpoint), text(endpoint) === '?' ? ipIn(metadata) : '', asked),
      port,
    )
    for (let slot = first; slot <= last; slot++) owners[slot] = address
  }
  return owners
}

/** An error reply that sends the command elsewhere. */
export interface Redirection {
  readonly kind: 'MOVED' | 'ASK'
  readonly slot: number
  readonly address: string
}

export function parseRedirection(message: string, asked: string): Redirection | undefined {
  const [, kind, slot, host = '', port] = /^(MOVED|ASK) (\d+) (\S*):(\d+)/.exec(message) ?? []
  if (kind === undefined || Number(slot) >= SLOT_COUNT) return undefined
  const address = addressOf(hostOf(host, '', asked), Number(port))
  return { kind: kind as Redirection['kind'], slot: Number(slot), address }
}

/** Nothing, or a question mark: a node that announces no usable endpoint. */
function hostOf(endpoint: string, ip: string, asked: string): string {
  return endpoint === '' || endpoint === '?' ? ip || asked : endpoint
}

function ipIn(metadata: RedisReply | undefined): string {
  const fields = Array.isArray(metadata) ? (metadata as RedisReply[]).map(text) : []
  const at = fields.indexOf('ip')
  return at === -1 ? '' : (fields[at + 1] ?? '')
}

function text(reply: RedisReply | undefined): string {
  return Buffer.isBuffer(reply) ? reply.toString() : ''
}

function addressOf(host: string, port: number): string {
  return `${host}:${port}`
}

/** The port is behind the last colon: hosts may be IPv6 addresses. */
export function splitAddress(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':')
  return { host: address.slice(0, at), port: Number(address.slice(at + 1)) }
}
