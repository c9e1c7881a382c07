import { crc32 } from './crc32'
import type { Codec } from './options'
import { type Bytes, type Clock, NEVER, type ServerMicros } from './units'

/**
 * An entry as Redis stores it: a head of fixed width, metadata as JSON, then raw bytes.
 *
 * ```
 *  0  4  magic "NDC" 0x1a
 *  4  1  format version
 *  5  1  codec of the body
 *  6  2  reserved, 0
 *  8  8  fence       } big-endian, so that the write script can order two records
 * 16  8  bornAt      } by comparing bytes 8 to 23 as strings
 * 24  8  modifiedAt
 * 32  4  length of the metadata
 * 36  4  length of the body as stored
 * 40  4  length of the body once decompressed
 * 44  4  CRC-32 of bytes 0 to 43, metadata and body
 * 48     metadata, then body
 * ```
 *
 * Whatever Redis returns is untrusted: `decodeRecord` answers a reason instead of throwing, and allocates
 * nothing that the caller's bound does not cover.
 */
export const HEAD_BYTES = 48
/** Offset and length of (fence, bornAt): what the write script compares. */
export const ORDER_OFFSET = 8
export const ORDER_BYTES = 16
export const FORMAT_VERSION = 1
export const MAGIC = Buffer.from([0x4e, 0x44, 0x43, 0x1a])
/** Metadata beyond this is refused: tags and headers, never content. */
export const MAX_META_BYTES: Bytes = 1024 * 1024

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
  /** The body as stored: a view into the reply, compressed unless `codec` is `none`. */
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
  | 'metadata'
  | 'decompress'
  | 'value'

/** The pieces to send, in order; concatenating them yields the record. */
export function encodeRecord(head: RecordHead, meta: object, body: readonly Uint8Array[]): Buffer {
  const metaBytes = Buffer.from(JSON.stringify(meta), 'utf8')
  let bodyBytes = 0
  for (const chunk of body) bodyBytes += chunk.byteLength
  const record = Buffer.allocUnsafe(HEAD_BYTES + metaBytes.length + bodyBytes)
  MAGIC.copy(record, 0)
  record[4] = FORMAT_VERSION
  record[5] = CODECS.indexOf(head.codec)
  record.writeUInt16BE(0, 6)
  writeMicros(record, head.fence, 8)
  writeMicros(record, head.bornAt, 16)
  writeMicros(record, head.modifiedAt, 24)
  record.writeUInt32BE(metaBytes.length, 32)
  record.writeUInt32BE(bodyBytes, 36)
  record.writeUInt32BE(head.rawBytes, 40)
  metaBytes.copy(record, HEAD_BYTES)
  let offset = HEAD_BYTES + metaBytes.length
  for (const chunk of body) {
    record.set(chunk, offset)
    offset += chunk.byteLength
  }
  record.writeUInt32BE(checksum(record), 44)
  return record
}

export function decodeRecord(bytes: Buffer, maxBytes: Bytes): RawRecord | RecordFault {
  if (bytes.length < HEAD_BYTES) return 'short'
  if (MAGIC.compare(bytes, 0, 4) !== 0) return 'magic'
  if (bytes[4] !== FORMAT_VERSION) return 'version'
  const codec = CODECS[bytes[5] as number]
  if (codec === undefined) return 'codec'
  const metaLength = bytes.readUInt32BE(32)
  const bodyLength = bytes.readUInt32BE(36)
  const rawBytes = bytes.readUInt32BE(40)
  if (bytes.length !== HEAD_BYTES + metaLength + bodyLength) return 'length'
  if (codec === 'none' && rawBytes !== bodyLength) return 'length'
  if (metaLength > MAX_META_BYTES || rawBytes > maxBytes) return 'too-large'
  const fence = readMicros(bytes, 8)
  const bornAt = readMicros(bytes, 16)
  const modifiedAt = readMicros(bytes, 24)
  if (fence > NEVER || bornAt > NEVER || modifiedAt > NEVER) return 'time'
  if (bytes.readUInt32BE(44) !== checksum(bytes)) return 'checksum'
  let meta: unknown
  try {
    meta = JSON.parse(bytes.toString('utf8', HEAD_BYTES, HEAD_BYTES + metaLength))
  } catch {
    return 'metadata'
  }
  return { fence, bornAt, modifiedAt, codec, rawBytes, meta, body: bytes.subarray(HEAD_BYTES + metaLength) }
}

function checksum(record: Buffer): number {
  return crc32(record.subarray(HEAD_BYTES), crc32(record.subarray(0, 44)))
}

function writeMicros(target: Buffer, micros: number, offset: number): void {
  target.writeUInt32BE(Math.floor(micros / 0x1_0000_0000), offset)
  target.writeUInt32BE(micros % 0x1_0000_0000, offset + 4)
}

function readMicros(source: Buffer, offset: number): number {
  return source.readUInt32BE(offset) * 0x1_0000_0000 + source.readUInt32BE(offset + 4)
}
