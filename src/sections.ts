import type { Bytes } from './units'

/**
 * A value is stored as sections of raw bytes, one after another, with a list of what they are in the
 * metadata: nothing is base64 in JSON. Decoding slices views out of the body and copies only text.
 */
type SectionEncoding = number

const RAW: SectionEncoding = 0
const UTF8: SectionEncoding = 1
/** For text with lone surrogates, which UTF-8 would lose. */
const UTF16: SectionEncoding = 2
/** Text that is canonical base64, stored as the bytes it stands for. */
const BASE64: SectionEncoding = 3

/** One section: four times its length in bytes, and its encoding. */
export type SectionInfo = number

export class SectionWriter {
  readonly infos: SectionInfo[] = []
  readonly chunks: Uint8Array[] = []

  bytes(value: Uint8Array): this {
    return this.add(RAW, value)
  }

  text(value: string): this {
    return value.isWellFormed()
      ? this.add(UTF8, Buffer.from(value, 'utf8'))
      : this.add(UTF16, Buffer.from(value, 'utf16le'))
  }

  /** Text that is probably base64: Next keeps the bodies of `fetch` so. */
  base64OrText(value: string): this {
    if (value.length > 0 && value.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(value)) {
      const decoded = Buffer.from(value, 'base64')
      if (decoded.toString('base64') === value) return this.add(BASE64, decoded)
    }
    return this.text(value)
  }

  private add(encoding: SectionEncoding, value: Uint8Array): this {
    this.infos.push(4 * value.byteLength + encoding)
    this.chunks.push(value)
    return this
  }
}

/** Reads the sections in the order in which they were written. Throws on anything that does not add up. */
export class SectionReader {
  private index = 0
  private offset = 0
  private decoded: Bytes = 0
  private readonly infos: readonly SectionInfo[]
  private readonly body: Buffer

  constructor(infos: unknown, body: Buffer) {
    if (!Array.isArray(infos)) throw new Error('no list of sections')
    let total = 0
    for (const info of infos as unknown[]) {
      if (!Number.isSafeInteger(info) || (info as number) < 0) throw new Error('bad section')
      total += lengthOf(info as SectionInfo)
    }
    if (total !== body.length) throw new Error('sections do not cover the body')
    this.infos = infos as SectionInfo[]
    this.body = body
  }

  get remaining(): number {
    return this.infos.length - this.index
  }

  /** What everything read so far keeps alive: of text, one byte per character if it is ASCII, else two. */
  get decodedBytes(): Bytes {
    return this.decoded
  }

  bytes(): Buffer {
    const [encoding, slice] = this.next()
    if (encoding !== RAW) throw new Error('expected bytes')
    this.decoded += slice.length
    return slice
  }

  text(): string {
    const [encoding, slice] = this.next()
    const text = decodeText(encoding, slice)
    // Fewer characters than bytes are not ASCII, nor are what was written as UTF-16 for want of another way.
    const isAscii = encoding === BASE64 || (encoding === UTF8 && text.length === slice.length)
    this.decoded += isAscii ? text.length : 2 * text.length
    return text
  }

  private next(): [SectionEncoding, Buffer] {
    const info = this.infos[this.index++]
    if (info === undefined) throw new Error('a section is missing')
    const start = this.offset
    this.offset += lengthOf(info)
    return [info % 4, this.body.subarray(start, this.offset)]
  }
}

/** No shift: it would leave 32 bits. */
function lengthOf(info: SectionInfo): Bytes {
  return Math.floor(info / 4)
}

function decodeText(encoding: SectionEncoding, slice: Buffer): string {
  switch (encoding) {
    case UTF8:
      return slice.toString('utf8')
    case UTF16:
      return slice.toString('utf16le')
    case BASE64:
      return slice.toString('base64')
    default:
      throw new Error('expected text')
  }
}
