import { compress, decompress } from './compression'
import type { ResolvedOptions } from './options'
import { joined, Pieces, startOf } from './pieces'
import { fromJsonNumber, type JsonNumber, toJsonNumber } from './json-number'
import type { Keyring } from './encryption'
import {
  decodeRecord,
  encodeRecord,
  HEAD_BYTES,
  isIntact,
  isOpen,
  MAX_META_BYTES,
  type RecordFault,
  type RecordHead,
} from './record'
import type { Verdict } from './tag-state'
import type { Bytes, Clock, Seconds, ServerMicros } from './units'

/** An entry of either interface, as the cache sees it: enough to judge it, and the value still packed. */
export interface Entry {
  readonly fence: Clock
  /** When the generation began. */
  readonly bornAt: ServerMicros
  /** What the age is counted from. */
  readonly modifiedAt: ServerMicros
  /** Own tags; soft tags come with the read. */
  readonly tags: readonly string[]
  /**
   * A refresh failed and Next wrote the previous value back: until then a stale verdict asks for no further
   * refresh. 0: none failed.
   */
  readonly retryAt: ServerMicros
  /** What that refresh knew: an invalidation newer than this asks for another one at once. */
  readonly retryFence?: Clock | undefined
  /** Prerendered by the build: judged by `judgePrerendered`. */
  readonly fromBuild?: boolean | undefined
  /** Age from which it wants a refresh; Infinity: never. */
  readonly revalidate: Seconds
  /** Age from which it must not be served; Infinity: never. */
  readonly expire: Seconds
  /** What the handler needs besides the bytes; JSON, not yet validated. */
  readonly detail: unknown
  readonly body: Buffer
  /** Its length, which says so without putting it together. */
  readonly bodyBytes: Bytes
  /** The head of the record: equal stamps are equal records. */
  readonly stamp: Buffer
}

export interface PackedValue {
  /** Any JSON. */
  readonly detail: unknown
  readonly chunks: readonly Uint8Array[]
}

export type NewEntry = Omit<Entry, 'detail' | 'body' | 'bodyBytes' | 'stamp'> & PackedValue

/** The metadata of a record, as JSON. What few entries have comes last, and is left out. */
type Metadata = [
  /** joined by commas where none of them has one, as no tag of a page can */
  tags: string | readonly string[],
  revalidate: JsonNumber,
  expire: JsonNumber,
  detail: unknown,
  fromBuild?: 0 | 1,
  retryAt?: ServerMicros,
  retryFence?: Clock | undefined,
]

export function bytesOf(chunks: readonly Uint8Array[]): Bytes {
  let total = 0
  for (const chunk of chunks) total += chunk.byteLength
  return total
}

/** How entries become bytes: the same for who writes and who reads. */
export interface EntryFormat extends Pick<ResolvedOptions, 'compression' | 'maxEntryBytes'> {
  /** With keys everything is sealed, and nothing else is read. */
  readonly encryption?: Keyring | undefined
}

/** More tags than any page has; what a forged record may make a reader ask for. */
const MAX_TAGS = 10_000

/** The bytes to store under the key; undefined when a reader would refuse them as too large. */
export async function encodeEntry(
  key: string,
  entry: NewEntry,
  format: EntryFormat,
): Promise<Buffer | undefined> {
  const record = await encodeInPieces(key, entry, format)
  return record && joined(record)
}

/** The same, of which large chunks of the entry are a part as they are. */
export async function encodeInPieces(
  key: string,
  entry: NewEntry,
  { compression, maxEntryBytes, encryption }: EntryFormat,
): Promise<Buffer | Pieces | undefined> {
  const rawBytes = bytesOf(entry.chunks)
  // Before anything is spent on it.
  if (rawBytes > maxEntryBytes || entry.tags.length > MAX_TAGS) return undefined
  const { fence, bornAt, modifiedAt, tags, retryAt, retryFence, detail } = entry
  const meta: Metadata = [packTags(tags), toJsonNumber(entry.revalidate), toJsonNumber(entry.expire), detail]
  if (entry.fromBuild || retryAt > 0) meta.push(entry.fromBuild ? 1 : 0)
  if (retryAt > 0) meta.push(retryAt)
  if (retryAt > 0 && retryFence !== undefined) meta.push(retryFence)
  const metaBytes = Buffer.from(JSON.stringify(meta), 'utf8')
  if (metaBytes.length > MAX_META_BYTES) return undefined
  const head: RecordHead = { fence, bornAt, modifiedAt, codec: 'none', rawBytes }
  const { codec } = compression
  if (codec !== 'none' && rawBytes >= compression.thresholdBytes) {
    const packed = await compress(codec, Buffer.concat(entry.chunks))
    if (packed.length < rawBytes)
      return encodeRecord(key, { ...head, codec }, metaBytes, [packed], encryption)
  }
  return encodeRecord(key, head, metaBytes, entry.chunks, encryption)
}

function packTags(tags: readonly string[]): string | readonly string[] {
  return tags.length === 0 || tags.some((tag) => tag.includes(',')) ? tags : tags.join(',')
}

/**
 * The entry as a reader would find it in `record`, which was made of it: known, so that nothing is checked, decrypted
 * or decompressed. Pieces are joined when somebody wants the body, and then it is checked: the memory of chunks may be
 * shared with others. Made before anybody waits for the store, while the chunks are what was encoded.
 */
export function storedEntry(key: string, record: Buffer | Pieces, entry: NewEntry): Entry {
  const { fence, bornAt, modifiedAt, tags, retryAt, retryFence, fromBuild, revalidate, expire } = entry
  const refused = retryAt > 0
  // In memory of its own, since it may outlive the rest.
  const stamp = Buffer.allocUnsafeSlow(HEAD_BYTES)
  startOf(record).copy(stamp)
  const bodyBytes = bytesOf(entry.chunks)
  let whole: Buffer | Pieces = isOpen(startOf(record)) ? record : Buffer.concat(entry.chunks)
  let body = whole instanceof Pieces ? undefined : whole.subarray(whole.length - bodyBytes)
  return {
    fence,
    bornAt,
    modifiedAt,
    tags: [...tags],
    retryAt: refused ? retryAt : 0,
    retryFence: refused ? retryFence : undefined,
    fromBuild: fromBuild === true ? true : undefined,
    revalidate,
    expire,
    // What JSON leaves out is missing for everybody.
    detail: JSON.parse(JSON.stringify(entry.detail)) as unknown,
    get body() {
      if (body === undefined) {
        whole = joined(whole)
        if (!isIntact(key, whole)) throw new Error('what was written has changed')
        body = whole.subarray(whole.length - bodyBytes)
      }
      return body
    },
    bodyBytes,
    stamp,
  }
}

/** The entry in the bytes under the key, or why there is none. Never throws; nobody waits unless it is compressed. */
export function decodeEntry(
  key: string,
  bytes: Buffer,
  { maxEntryBytes, encryption }: EntryFormat,
): Entry | RecordFault | Promise<Entry | RecordFault> {
  const record = decodeRecord(key, bytes, maxEntryBytes, encryption)
  if (typeof record === 'string') return record
  if (!Array.isArray(record.meta) || record.meta.length < 4) return 'metadata'
  const [packed, storedRevalidate, storedExpire, detail, mark = 0, retryAt = 0, retryFence] =
    record.meta as unknown[]
  const tags: unknown = typeof packed === 'string' ? packed.split(',') : packed
  if (!Array.isArray(tags) || tags.length > MAX_TAGS) return 'metadata'
  if (!tags.every((tag) => typeof tag === 'string')) return 'metadata'
  if (mark !== 0 && mark !== 1) return 'metadata'
  if (!Number.isSafeInteger(retryAt)) return 'metadata'
  if (retryFence !== undefined && !Number.isSafeInteger(retryFence)) return 'metadata'
  let revalidate: Seconds
  let expire: Seconds
  try {
    revalidate = fromJsonNumber(storedRevalidate)
    expire = fromJsonNumber(storedExpire)
  } catch {
    return 'metadata'
  }
  const { fence, bornAt, modifiedAt, codec, rawBytes } = record
  const withBody = (body: Buffer): Entry => ({
    fence,
    bornAt,
    modifiedAt,
    tags: tags as string[],
    retryAt: retryAt as ServerMicros,
    retryFence: retryFence as Clock | undefined,
    fromBuild: mark === 1 ? true : undefined,
    revalidate,
    expire,
    detail,
    body,
    bodyBytes: body.length,
    stamp: headOf(bytes, body),
  })
  if (codec === 'none') return withBody(record.body)
  return decompress(codec, record.body, rawBytes).then(withBody, () => 'decompress')
}

/** A view would keep alive a record that the body, decrypted or decompressed, is no part of. */
function headOf(record: Buffer, body: Buffer): Buffer {
  const head = record.subarray(0, HEAD_BYTES)
  if (body.buffer === record.buffer) return head
  const copy = Buffer.allocUnsafeSlow(HEAD_BYTES)
  head.copy(copy)
  return copy
}

/** What its age says about an entry; a reader may bring a `revalidate` of its own. */
export function judgeAge(
  entry: Pick<Entry, 'modifiedAt' | 'revalidate' | 'expire'>,
  now: ServerMicros,
  revalidate: Seconds = entry.revalidate,
): Verdict {
  const age: Seconds = (now - entry.modifiedAt) / 1_000_000
  if (age > entry.expire) return 'expired'
  return age > revalidate ? 'stale' : 'fresh'
}
