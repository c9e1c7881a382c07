/** Slots of a Redis Cluster. */
export const SLOT_COUNT = 16_384

/** CRC16 as the Cluster specification has it: polynomial 0x1021, from zero, nothing reflected. */
const createTable = () =>
  Uint16Array.from({ length: 256 }, (_, byte) => {
    let crc = byte << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
    return crc
  })
/** Only a Cluster has slots: not made before one is asked for. */
let table: Uint16Array | undefined

/** The slot of a key. Between the first braces, unless there is nothing, stands what decides. */
export function hashSlot(key: string): number {
  const open = key.indexOf('{')
  const close = open === -1 ? -1 : key.indexOf('}', open + 1)
  const hashed = close > open + 1 ? key.slice(open + 1, close) : key
  table ??= createTable()
  let crc = 0
  for (const byte of Buffer.from(hashed)) crc = ((crc << 8) & 0xffff) ^ (table[(crc >> 8) ^ byte] as number)
  return crc % SLOT_COUNT
}
