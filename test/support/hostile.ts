import { crc32 } from '../../src/crc32'
import { HEAD_BYTES } from '../../src/record'

/** The seed of everything random in a test: fixed, printed, and overridable by `NDC_SEED`. */
export function seedOf(what: string): number {
  const seed = Number(process.env['NDC_SEED'] ?? 20_261_122)
  console.log(`${what}: NDC_SEED=${seed}`)
  return seed
}

/** How many cases: few by default, `full` of them with `NDC_FULL=1`. */
export function casesOf(few: number, full: number): number {
  return process.env['NDC_FULL'] === '1' ? full : few
}

/** A small generator of pseudo-random numbers: the same ones for the same seed, everywhere. */
export class Dice {
  private state: number

  constructor(seed: number) {
    this.state = seed >>> 0
  }

  /** A whole number from 0 to `below` - 1. */
  below(below: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let t = this.state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below)
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length)
    for (let i = 0; i < length; i++) bytes[i] = this.below(256)
    return bytes
  }
}

const EXTREMES = [0, 1, 0x7f, 0xff, 0x7fff_ffff, 0xffff_fffe, 0xffff_ffff]

/** The bytes, changed in one to three of the ways in which bytes go wrong, by accident or on purpose. */
export function mutate(dice: Dice, bytes: Buffer, others: readonly Buffer[]): Buffer {
  let result: Buffer = Buffer.from(bytes)
  for (let times = 1 + dice.below(3); times > 0; times--) {
    const at = dice.below(result.length + 1)
    switch (dice.below(7)) {
      case 0:
        if (at < result.length) result[at] = (result[at] as number) ^ (1 << dice.below(8))
        break
      case 1:
        result = result.subarray(0, at)
        break
      case 2:
        result = Buffer.concat([result.subarray(0, at), dice.bytes(dice.below(20)), result.subarray(at)])
        break
      case 3:
        // Where lengths and times stand, most often.
        if (result.length >= 8) result.writeUInt32BE(dice.pick(EXTREMES), Math.min(at, result.length - 4))
        if (result.length >= HEAD_BYTES) result.writeUInt32BE(dice.pick(EXTREMES), dice.below(HEAD_BYTES - 3))
        break
      case 4:
        result = Buffer.concat([result.subarray(0, at), dice.pick(others).subarray(at)])
        break
      case 5:
        result = Buffer.concat([result.subarray(0, at), result])
        break
      default:
        result = dice.below(4) === 0 ? dice.bytes(dice.below(200)) : result
    }
    // A view would change what it was cut from.
    result = Buffer.from(result)
  }
  return result
}

/** The record with the checksum that somebody who knows the format would give it. */
export function withChecksum(key: string, record: Buffer): Buffer {
  if (record.length < HEAD_BYTES) return record
  const mended = Buffer.from(record)
  mended.writeUInt32BE(crc32(mended.subarray(4), crc32(Buffer.from(key))), 0)
  return mended
}

/** The record with lengths that add up, so that it comes past the first checks. */
export function withLengths(dice: Dice, record: Buffer): Buffer {
  if (record.length < HEAD_BYTES) return record
  const mended = Buffer.from(record)
  const rest = mended.length - HEAD_BYTES
  const meta = dice.below(2) === 0 ? Math.min(rest, mended.readUIntBE(30, 3)) : dice.below(rest + 1)
  mended.writeUIntBE(meta, 30, 3)
  if (mended[8] === 0) mended.writeUInt32BE(rest - meta, 33)
  return mended
}
