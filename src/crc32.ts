import * as zlib from 'node:zlib'

/** CRC-32 of bytes, or of text as UTF-8; `seed` continues an earlier one. Native where Node has it (20.15 and later). */
export const crc32: (data: Uint8Array | string, seed?: number) => number =
  typeof zlib.crc32 === 'function' ? zlib.crc32 : crc32Portable

let table: Uint32Array | undefined

export function crc32Portable(data: Uint8Array | string, seed = 0): number {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data
  table ??= Uint32Array.from({ length: 256 }, (_, n) => {
    let c = n
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1
    return c
  })
  let crc = ~seed
  for (let i = 0; i < bytes.length; i++) {
    crc = (table[(crc ^ (bytes[i] as number)) & 0xff] as number) ^ (crc >>> 8)
  }
  return ~crc >>> 0
}
