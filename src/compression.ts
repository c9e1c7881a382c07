import { promisify } from 'node:util'
import zlib from 'node:zlib'
import type { Codec } from './options'
import type { Bytes } from './units'

type Transform = (bytes: Buffer) => Promise<Buffer>
type BoundedTransform = (bytes: Buffer, maxBytes: Bytes) => Promise<Buffer>

// zstd reached Node with 22.15 and 23.8; the types of the oldest supported Node do not know it.
const zstd = zlib as unknown as {
  zstdCompress?: (bytes: Buffer, done: (error: Error | null, result: Buffer) => void) => void
  zstdDecompress?: (
    bytes: Buffer,
    options: { maxOutputLength: number; params?: Record<number, number> },
    done: (error: Error | null, result: Buffer) => void,
  ) => void
}

// A frame may ask for a window of 128 MiB before it holds a byte; ours need 2 MiB at most.
const WINDOW_LOG_MAX = (zlib.constants as { ZSTD_d_windowLogMax?: number }).ZSTD_d_windowLogMax
const ZSTD_BOUNDS = WINDOW_LOG_MAX === undefined ? {} : { params: { [WINDOW_LOG_MAX]: 23 } }

/** Whether this Node can compress and decompress with the codec. */
export function isCodecAvailable(codec: Codec): boolean {
  return codec !== 'zstd' || typeof zstd.zstdCompress === 'function'
}

const gzip = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gzip)
const gunzip = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gunzip)
const brotli = promisify<Buffer, zlib.BrotliOptions, Buffer>(zlib.brotliCompress)
const unbrotli = promisify<Buffer, zlib.BrotliOptions, Buffer>(zlib.brotliDecompress)

const COMPRESS: Record<Codec, Transform> = {
  none: async (bytes) => bytes,
  gzip: (bytes) => gzip(bytes, { level: 1 }),
  // Above quality 4 brotli costs more time than any page saves on the wire.
  brotli: (bytes) => brotli(bytes, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } }),
  zstd: (bytes) =>
    new Promise((resolve, reject) => {
      if (zstd.zstdCompress === undefined) reject(new Error('this Node has no zstd'))
      else zstd.zstdCompress(bytes, (error, result) => (error ? reject(error) : resolve(result)))
    }),
}

const DECOMPRESS: Record<Codec, BoundedTransform> = {
  none: async (bytes) => bytes,
  gzip: (bytes, maxOutputLength) => gunzip(bytes, { maxOutputLength }),
  brotli: (bytes, maxOutputLength) => unbrotli(bytes, { maxOutputLength }),
  zstd: (bytes, maxOutputLength) =>
    new Promise((resolve, reject) => {
      if (zstd.zstdDecompress === undefined) reject(new Error('this Node has no zstd'))
      else
        zstd.zstdDecompress(bytes, { maxOutputLength, ...ZSTD_BOUNDS }, (error, result) =>
          error ? reject(error) : resolve(result),
        )
    }),
}

export function compress(codec: Codec, bytes: Buffer): Promise<Buffer> {
  return COMPRESS[codec](bytes)
}

/**
 * Decompresses to exactly `rawBytes`, the length that the record announces and the caller has bounded: the
 * output never grows past it, whatever the input holds.
 *
 * @throws when the input is damaged, or the length is another
 */
export async function decompress(codec: Codec, bytes: Buffer, rawBytes: Bytes): Promise<Buffer> {
  const result = await DECOMPRESS[codec](bytes, Math.max(1, rawBytes))
  if (result.length !== rawBytes) throw new Error(`expected ${rawBytes} bytes, got ${result.length}`)
  return result
}
