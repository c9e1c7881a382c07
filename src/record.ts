import { crc32 } from './crc32'
import { type Keyring, MAX_KEY_ID_BYTES, seal, SEAL_BYTES, unseal } from './encryption'
import type { Codec } from './options'
import { gather, Pieces, startOf } from './pieces'
import { type Bytes, type Clock, NEVER, type ServerMicros } from './units'

/**
 * An entry as Redis stores it: a head of fixed width, metadata as a JSON list, then raw bytes. Numbers are big-endian.
 *
 * ```
 *  0  4  CRC-32 of the name of its key, and of all that follows here
 *  4  3  magic "NDC"
 *  7  1  format version
 *  8  1  codec of the body (bits 0 and 1), length of the id of the key that seals the record (the others; 0: it is plain)
 *  9  7  fence       } so that the write script can order two records
 * 16  7  bornAt      } by comparing bytes 9 to 22 as strings
 * 23  7  modifiedAt
 * 30  3  length of the metadata
 * 33  4  length of the body once decompressed
 * 37     metadata, then body; of a sealed record, both as src/encryption.ts describes
 * ```
 *
 * The metadata is described in src/entry.ts. The body ends where the record does.
 *
 * A record belongs to the key that it was written under: a copy under another one is damage, told by the
 * checksum; sealed, the head and the name of the key are authenticated with the rest.
 *
 * Whatever Redis returns is untrusted: `decodeRecord` answers a reason instead of throwing, and allocates
 * nothing that the caller's bound does not cover.
 */
export const HEAD_BYTES = 37
/** Offset of the magic. With the format version behind it, it tells a record of ours from whatever else there is. */
export const MAGIC_OFFSET = 4
/** The magic and the format version. */
export const MAGIC = Buffer.from('NDC\x04')
/** Offset and length of (fence, bornAt): what the write script compares. */
export const ORDER_OFFSET = 9
export const ORDER_BYTES = 14
const MAGIC_NUMBER = MAGIC.readUInt32BE(0)
/** Metadata beyond this is refused, by writers as by readers: tags and headers, never content. */
export const MAX_META_BYTES: Bytes = 1024 * 1024

/** No record of ours is larger: what a read may transfer at most. */
export function maxRecordBytes(maxEntryBytes: Bytes): Bytes {
  return HEAD_BYTES + MAX_KEY_ID_BYTES + SEAL_BYTES + MAX_META_BYTES + maxEntryBytes
}

/** Two bits say which. */
const CODECS = ['none', 'gzip', 'brotli', 'zstd'] as const satisfies readonly Codec[]

export interface RecordHead {
  /** The clock value up to which the generation's knowledge was complete. */
  readonly fence: Clock
  /** When the generation began. */
  readonly bornAt: ServerMicros
  /** What the age is counted from. */
  readonly modifiedAt: ServerMicros
  readonly codec: Codec
  /** Length of the body once decompressed. */
  readonly rawBytes: Bytes
}

export interface RawRecord extends RecordHead {
  /** Parsed JSON, not yet validated. */
  readonly meta: unknown
  /** The body, compressed unless `codec` is `none`: a view into the reply, or into what was decrypted. */
  readonly body: Buffer
}

/** Why bytes are not an entry. Counted under this name, and a miss. */
export type RecordFault =
  | 'short'
  | 'magic'
  | 'version'
  | 'length'
  | 'too-large'
  | 'time'
  | 'checksum'
  /** not encrypted, although this process has keys */
  | 'plain'
  /** sealed with a key that this process does not have */
  | 'key'
  /** sealed by somebody else, or tampered with */
  | 'authentication'
  | 'metadata'
  | 'decompress'
  | 'value'

/** @param key name of the Redis key that the record is for */
export function encodeRecord(
  key: string,
  head: RecordHead,
  meta: Uint8Array,
  body: readonly Uint8Array[],
  ring?: Keyring,
): Buffer | Pieces {
  const front = Buffer.allocUnsafe(HEAD_BYTES)
  MAGIC.copy(front, MAGIC_OFFSET)
  front[8] = CODECS.indexOf(head.codec) | ((ring?.first.length ?? 0) << 2)
  writeMicros(front, head.fence, 9)
  writeMicros(front, head.bornAt, 16)
  writeMicros(front, head.modifiedAt, 23)
  front.writeUIntBE(meta.byteLength, 30, 3)
  front.writeUInt32BE(head.rawBytes, 33)
  const content = [meta, ...body]
  const rest = ring === undefined ? content : seal(ring, content, authenticated(key, front))
  const record = gather(front, rest)
  startOf(record).writeUInt32BE(checksum(key, record), 0)
  return record
}

/** The record in the bytes under a key, or why there is none. Never throws. With keys, only what they authenticate. */
export function decodeRecord(
  key: string,
  bytes: Buffer,
  maxBytes: Bytes,
  ring?: Keyring,
): RawRecord | RecordFault {
  if (bytes.length < HEAD_BYTES) return 'short'
  const magic = bytes.readUInt32BE(MAGIC_OFFSET)
  if (magic !== MAGIC_NUMBER) return magic >>> 8 === MAGIC_NUMBER >>> 8 ? 'version' : 'magic'
  const kind = bytes[8] as number
  const codec = CODECS[kind & 3] as Codec
  const keyIdBytes = kind >> 2
  const metaLength = bytes.readUIntBE(30, 3)
  const rawBytes = bytes.readUInt32BE(33)
  if (metaLength > MAX_META_BYTES || rawBytes > maxBytes || bytes.length > maxRecordBytes(maxBytes))
    return 'too-large'
  const sealBytes = keyIdBytes === 0 ? 0 : keyIdBytes + SEAL_BYTES
  const bodyLength = bytes.length - HEAD_BYTES - sealBytes - metaLength
  // Nothing is stored compressed that did not become smaller.
  if (bodyLength < 0 || (codec === 'none' ? rawBytes !== bodyLength : rawBytes < bodyLength)) return 'length'
  const fence = readMicros(bytes, 9)
  const bornAt = readMicros(bytes, 16)
  const modifiedAt = readMicros(bytes, 23)
  if (fence > NEVER || bornAt > NEVER || modifiedAt > NEVER) return 'time'
  if (!isIntact(key, bytes)) return 'checksum'
  let content = bytes
  let start = HEAD_BYTES
  if (keyIdBytes > 0) {
    if (ring === undefined) return 'key'
    const opened = unseal(ring, bytes.subarray(HEAD_BYTES), keyIdBytes, authenticated(key, bytes))
    if (typeof opened === 'string') return opened
    content = opened
    start = 0
  } else if (ring !== undefined) {
    return 'plain'
  }
  const end = start + metaLength
  let meta: unknown
  try {
    meta = JSON.parse(content.toString('utf8', start, end))
  } catch {
    return 'metadata'
  }
  return { fence, bornAt, modifiedAt, codec, rawBytes, meta, body: content.subarray(end) }
}

/** Whether a record, which has a head at least, is the one that was written under the key. */
export function isIntact(key: string, record: Buffer): boolean {
  return record.readUInt32BE(0) === checksum(key, record)
}

/** Whether the body of a record of ours lies in it as it is: neither compressed nor sealed. */
export function isOpen(record: Buffer): boolean {
  return record[8] === 0
}

/** What a seal vouches for besides the content: the head, whose order Redis must see, and where it belongs. */
function authenticated(key: string, record: Buffer): Uint8Array[] {
  return [record.subarray(4, HEAD_BYTES), Buffer.from(key)]
}

function checksum(key: string, record: Buffer | Pieces): number {
  const sum = crc32(startOf(record).subarray(4), crc32(key))
  if (!(record instanceof Pieces)) return sum
  return record.list.slice(1).reduce((so, piece) => crc32(piece, so), sum)
}

/** Seven bytes: a whole number that is exact in a double has 53 bits. */
function writeMicros(target: Buffer, micros: number, offset: number): void {
  target.writeUIntBE(Math.floor(micros / 0x1_0000_0000), offset, 3)
  target.writeUInt32BE(micros % 0x1_0000_0000, offset + 3)
}

function readMicros(source: Buffer, offset: number): number {
  return source.readUIntBE(offset, 3) * 0x1_0000_0000 + source.readUInt32BE(offset + 3)
}
