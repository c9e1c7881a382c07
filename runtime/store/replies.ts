import { DistributedCacheError } from '../../src/errors'
import { parseTagRecord, type TagRecord, type TagView } from '../../src/tag-state'
import { type Clock, NEVER, parseMicros, type ServerMicros } from '../../src/units'
import type { RedisCommand, RedisReply } from '../clients/client'

/** Reserved fields of the tag state; fields of tags start with a colon, so that no tag can take their place. */
const RESERVED_FIELDS = ['clock', 'floor', 'incarnation'] as const

export function tagField(tag: string): string {
  return `:${tag}`
}

export function readTagsCommand(key: string, tags: readonly string[]): RedisCommand {
  return { key, args: ['HMGET', key, ...RESERVED_FIELDS, ...tags.map(tagField)] }
}

/** A reply that must not be an error. @throws DistributedCacheError CLIENT */
function expectReply<T extends RedisReply>(reply: RedisReply | undefined, what: string): Exclude<T, Error> {
  if (reply === undefined || reply instanceof Error) {
    throw new DistributedCacheError('CLIENT', `${what} failed: ${reply?.message ?? 'no reply'}`, {
      cause: reply,
    })
  }
  return reply as Exclude<T, Error>
}

/** A tag state, and the tags of it that say what no record of ours can say. */
export interface ParsedTagView extends TagView {
  readonly damaged: readonly string[]
}

/** The tag state in a reply to `readTagsCommand`; undefined when it is missing or damaged. */
export function parseTagView(
  reply: RedisReply | undefined,
  tags: readonly string[],
  latestPossible: Clock,
): ParsedTagView | undefined {
  if (reply instanceof Error && reply.message.startsWith('WRONGTYPE')) return undefined
  const fields = expectReply<RedisReply>(reply, 'Reading the tag state')
  if (!Array.isArray(fields) || fields.length !== RESERVED_FIELDS.length + tags.length) return undefined
  const clock = parseMicros(text(fields[0]))
  const floor = parseMicros(text(fields[1]))
  const incarnation = text(fields[2])
  if (clock === undefined || floor === undefined || incarnation === '') return undefined
  if (clock > latestPossible || floor > clock) return undefined
  const damaged: string[] = []
  const records = new Map<string, TagRecord>()
  for (const [index, tag] of tags.entries()) {
    const field = fields[RESERVED_FIELDS.length + index]
    if (field === null) continue
    const record = parseTagRecord(text(field))
    if (record !== undefined && isPossible(record, clock)) {
      records.set(tag, record)
    } else {
      // It may have said anything: nothing with this tag is served.
      records.set(tag, { hard: NEVER, soft: [] })
      damaged.push(tag)
    }
  }
  return { clock, floor, incarnation, records, damaged }
}

/** Nothing was invalidated after the clock of the same reply. */
function isPossible({ hard, soft }: TagRecord, clock: Clock): boolean {
  return hard <= clock && soft.every((window) => window.clock <= clock)
}

/** Another type under an entry's key is damage like any other: bytes that no decoder takes. */
export function entryBytes(reply: RedisReply | undefined): Buffer | null {
  if (reply instanceof Error && reply.message.startsWith('WRONGTYPE')) return Buffer.alloc(0)
  const bytes = expectReply<RedisReply>(reply, 'Reading an entry')
  // GETRANGE does not tell a missing value from an empty one, which is none of ours either.
  return Buffer.isBuffer(bytes) && bytes.length > 0 ? bytes : null
}

/** Reply to TIME. */
export function parseTime(reply: RedisReply | undefined): ServerMicros | undefined {
  if (!Array.isArray(reply)) return undefined
  const seconds = parseMicros(text(reply[0]))
  const micros = parseMicros(text(reply[1]))
  return seconds === undefined || micros === undefined ? undefined : seconds * 1_000_000 + micros
}

export function text(reply: RedisReply | undefined): string {
  return Buffer.isBuffer(reply) ? reply.toString('utf8') : ''
}
