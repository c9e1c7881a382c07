import type { Bytes } from './units'

/**
 * A value is stored as sections of raw bytes, one after another, with a list of what they are in the
 * metadata: nothing is base64 in JSON. Decoding slices views out of the body and copies only text.
 */
export type SectionEncoding =
  /** raw bytes */
  | 'b'
  /** text as UTF-8 */
  | 'u'
  /** text with lone surrogates, as UTF-16: UTF-8 would lose them */
  | 'w'
  /** text that is canonical base64, stored as the bytes it stands for */
  | '6'

/** Encoding and length in bytes of one section. */
export type SectionInfo = readonly [encoding: SectionEncoding, byteLength: number]

export class SectionWriter {
  readonly infos: SectionInfo[] = []
  readonly chunks: Uint8Array[] = []

  bytes(value: Uint8Array): this {
    return this.add('b', value)
  }

  text(value: string): this {
    return value.isWellFormed()
      ? this.add('u', Buffer.from(value, 'utf8'))
      : this.add('w', Buffer.from(value, 'utf16le'))
  }

  /** Text that is probably base64: Next keeps the bodies of `fetch` so. */
  base64OrText(value: string): this {
    if (value.length > 0 && value.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(value)) {
      const decoded = Buffer.from(value, 'base64')
      if (decoded.toString('base64') === value) return this.add('6', decoded)
    }
    return this.text(value)
  }

  private add(encoding: SectionEncoding, value: Uint8Array): this {
    this.infos.push([encoding, value.byteLength])
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
      if (!Array.isArray(info) || !Number.isSafeInteger(info[1]) || info[1] < 0)
        throw new Error('bad section')
      total += info[1] as number
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
    if (encoding !== 'b') throw new Error('expected bytes')
    this.decoded += slice.length
    return slice
  }

  text(): string {
    const [encoding, slice] = this.next()
    const text = decodeText(encoding, slice)
    // Fewer characters than bytes are not ASCII, nor are what was written as UTF-16 for want of another way.
    const isAscii = encoding === '6' || (encoding === 'u' && text.length === slice.length)
    this.decoded += isAscii ? text.length : 2 * text.length
    return text
  }

  private next(): [SectionEncoding, Buffer] {
    const info = this.infos[this.index++]
    if (info === undefined) throw new Error('a section is missing')
    const slice = this.body.subarray(this.offset, this.offset + info[1])
    this.offset += info[1]
    return [info[0], slice]
  }
}

function decodeText(encoding: SectionEncoding, slice: Buffer): string {
  switch (encoding) {
    case 'u':
      return slice.toString('utf8')
    case 'w':
      return slice.toString('utf16le')
    case '6':
      return slice.toString('base64')
    default:
      throw new Error('expected text')
  }
}
