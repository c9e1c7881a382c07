import { crc32 } from './crc32'
import { type Keyring, MAX_KEY_ID_BYTES, seal, SEAL_BYTES, unseal } from './encryption'
import type { Codec } from './options'
import { gather, type Pieces, startOf } from './pieces'
import { type Bytes, type Clock, NEVER, type ServerMicros } from './units'

/**
 * An entry as Redis stores it: a head of fixed width, metadata as JSON, then raw bytes.
 *
 * ```
 *  0  4  magic "NDC" 0x1a
 *  4  1  format version
 *  5  1  codec of the body
 *  6  1  length of the id of the key that seals the record; 0: it is plain
 *  7  1  reserved, 0
 *  8  8  fence       } big-endian, so that the write script can order two records
 * 16  8  bornAt      } by comparing bytes 8 to 23 as strings
 * 24  8  modifiedAt
 * 32  4  length of the metadata
 * 36  4  length of the body, compressed if it is
 * 40  4  length of the body once decompressed
 * 44  4  CRC-32 of the name of its key, bytes 0 to 43 and all that follows
 * 48     metadata, then body; of a sealed record, both as src/encryption.ts describes
 * ```
 *
 * A record belongs to the key that it was written under: a copy under another one is damage, told by the
 * checksum; sealed, the head and the name of the key are authenticated with the rest.
 *
 * Whatever Redis returns is untrusted: `decodeRecord` answers a reason instead of throwing, and allocates
 * nothing that the caller's bound does not cover.
 */
export const HEAD_BYTES = 48
/** Offset and length of (fence, bornAt): what the write script compares. */
export const ORDER_OFFSET = 8
export const ORDER_BYTES = 16
export const FORMAT_VERSION = 3
export const MAGIC = Buffer.from([0x4e, 0x44, 0x43, 0x1a])
const MAGIC_NUMBER = MAGIC.readUInt32BE(0)
/** Metadata beyond this is refused, by writers as by readers: tags and headers, never content. */
export const MAX_META_BYTES: Bytes = 1024 * 1024

/** No record of ours is larger: what a read may transfer at most. */
export function maxRecordBytes(maxEntryBytes: Bytes): Bytes {
  return HEAD_BYTES + MAX_KEY_ID_BYTES + SEAL_BYTES + MAX_META_BYTES + maxEntryBytes
}

const CODECS: readonly Codec[] = ['none', 'gzip', 'brotli', 'zstd']

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
  | 'codec'
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
  const front = Buffer.alloc(HEAD_BYTES)
  MAGIC.copy(front, 0)
  front[4] = FORMAT_VERSION
  front[5] = CODECS.indexOf(head.codec)
  front[6] = ring === undefined ? 0 : ring.first.length
  writeMicros(front, head.fence, 8)
  writeMicros(front, head.bornAt, 16)
  writeMicros(front, head.modifiedAt, 24)
  front.writeUInt32BE(meta.byteLength, 32)
  front.writeUInt32BE(
    body.reduce((total, chunk) => total + chunk.byteLength, 0),
    36,
  )
  front.writeUInt32BE(head.rawBytes, 40)
  const content = [meta, ...body]
  const rest = ring === undefined ? content : seal(ring, content, authenticated(key, front))
  const record = gather(front, rest)
  startOf(record).writeUInt32BE(checksum(key, record), 44)
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
  if (bytes.readUInt32BE(0) !== MAGIC_NUMBER) return 'magic'
  if (bytes[4] !== FORMAT_VERSION) return 'version'
  const codec = CODECS[bytes[5] as number]
  if (codec === undefined) return 'codec'
  const keyIdBytes = bytes[6] as number
  const metaLength = bytes.readUInt32BE(32)
  const bodyLength = bytes.readUInt32BE(36)
  const rawBytes = bytes.readUInt32BE(40)
  if (metaLength > MAX_META_BYTES || rawBytes > maxBytes || bytes.length > maxRecordBytes(maxBytes))
    return 'too-large'
  const sealBytes = keyIdBytes === 0 ? 0 : keyIdBytes + SEAL_BYTES
  if (bytes.length !== HEAD_BYTES + sealBytes + metaLength + bodyLength) return 'length'
  // Nothing is stored compressed that did not become smaller.
  if (codec === 'none' ? rawBytes !== bodyLength : rawBytes < bodyLength) return 'length'
  const fence = readMicros(bytes, 8)
  const bornAt = readMicros(bytes, 16)
  const modifiedAt = readMicros(bytes, 24)
  if (fence > NEVER || bornAt > NEVER || modifiedAt > NEVER) return 'time'
  if (bytes.readUInt32BE(44) !== checksum(key, bytes)) return 'checksum'
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

/** Whether the body of a record of ours lies in it as it is: neither compressed nor sealed. */
export function isOpen(record: Buffer): boolean {
  return record[5] === 0 && record[6] === 0
}

/** What a seal vouches for besides the content: the head, whose order Redis must see, and where it belongs. */
function authenticated(key: string, record: Buffer): Uint8Array[] {
  return [record.subarray(0, 44), Buffer.from(key)]
}

function checksum(key: string, record: Buffer | Pieces): number {
  const start = startOf(record)
  const sum = crc32(start.subarray(HEAD_BYTES), crc32(start.subarray(0, 44), crc32(key)))
  if (start === record) return sum
  return (record as Pieces).list.slice(1).reduce((so, piece) => crc32(piece, so), sum)
}

function writeMicros(target: Buffer, micros: number, offset: number): void {
  target.writeUInt32BE(Math.floor(micros / 0x1_0000_0000), offset)
  target.writeUInt32BE(micros % 0x1_0000_0000, offset + 4)
}

function readMicros(source: Buffer, offset: number): number {
  return source.readUInt32BE(offset) * 0x1_0000_0000 + source.readUInt32BE(offset + 4)
}
