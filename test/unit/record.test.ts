import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc32, crc32Portable } from '../../src/crc32'
import { parseKeyring } from '../../src/encryption'
import {
  bytesOf,
  decodeEntry,
  encodeEntry,
  type EntryFormat,
  type NewEntry,
  storedEntry,
} from '../../src/entry'
import type { Codec } from '../../src/options'
import { decodeRecord, HEAD_BYTES, MAGIC, MAGIC_OFFSET } from '../../src/record'
import { isCodecAvailable } from '../../src/compression'

const MAX_BYTES = 1024 * 1024
const KEY = 'ndc:test:build-1:u:{key}'
const RING = parseKeyring(`k:${Buffer.alloc(32, 7).toString('base64')}`)
const format = (codec: Codec = 'none', more: Partial<EntryFormat> = {}): EntryFormat => ({
  compression: { codec, thresholdBytes: 100 },
  maxEntryBytes: MAX_BYTES,
  ...more,
})
const encode = async (entry: NewEntry, as: EntryFormat) => (await encodeEntry(KEY, entry, as)) as Buffer
const decode = (bytes: Buffer, as = format()) => decodeEntry(KEY, bytes, as)
const codecs = (['none', 'gzip', 'brotli', 'zstd'] as const).filter(isCodecAvailable)

const micros = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const anyText = fc.string({ unit: 'binary' })
const content = fc.record({
  fence: micros,
  bornAt: micros,
  modifiedAt: micros,
  revalidate: fc.oneof(fc.nat(), fc.constant(Infinity)),
  expire: fc.oneof(fc.nat(), fc.constant(Infinity)),
  tags: fc.array(anyText, { maxLength: 5 }),
  detail: fc
    .dictionary(fc.string(), fc.jsonValue())
    .map((value) => JSON.parse(JSON.stringify(value)) as object),
  chunks: fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 4 }),
})
const retry = fc.oneof(
  fc.constant({ retryAt: 0 }),
  fc.record({ retryAt: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), retryFence: micros }),
)
const newEntry: fc.Arbitrary<NewEntry> = fc
  .tuple(content, retry)
  .map(([one, other]) => ({ ...one, ...other }))

describe('entry records', () => {
  it.each(
    codecs.flatMap(
      (codec) =>
        [
          [codec, 'plain'],
          [codec, 'sealed'],
        ] as const,
    ),
  )('survive encode and decode bit for bit (%s, %s)', async (codec, how) => {
    const as = format(codec, { encryption: how === 'sealed' ? RING : undefined })
    await fc.assert(
      fc.asyncProperty(newEntry, async (entry) => {
        const bytes = await encode(entry, as)
        const decoded = await decode(bytes, as)
        if (typeof decoded === 'string') throw new Error(decoded)
        const { chunks, ...facts } = entry
        const { body, stamp, ...decodedFacts } = decoded
        expect(stamp.equals(bytes.subarray(0, HEAD_BYTES))).toBe(true)
        expect(decodedFacts).toEqual(facts)
        expect(Buffer.concat(chunks).equals(body)).toBe(true)
        expect(body.length).toBe(bytesOf(chunks))
        // Who wrote it need not read it again.
        expect(storedEntry(bytes, entry)).toEqual(decoded)
      }),
      { numRuns: 200 },
    )
  })

  it.each(codecs)('that were compressed are what their writer keeps (%s)', async (codec) => {
    const entry = { ...fc.sample(newEntry, { numRuns: 1, seed: 1 })[0]!, chunks: [Buffer.alloc(5000, 'ab')] }
    const bytes = await encode(entry, format(codec))
    expect(bytes.length < 5000).toBe(codec !== 'none')
    expect(storedEntry(bytes, entry)).toEqual(await decode(bytes))
  })

  it('refuse every truncation and every flipped bit', async () => {
    await fc.assert(
      fc.asyncProperty(newEntry, fc.nat(), fc.nat(), async (entry, at, bit) => {
        const bytes = await encode(entry, format())
        expect(typeof (await decode(bytes.subarray(0, at % bytes.length)))).toBe('string')
        const flipped = Buffer.from(bytes)
        const index = at % flipped.length
        flipped[index] = (flipped[index] as number) ^ (1 << (bit % 8))
        expect(typeof (await decode(flipped))).toBe('string')
      }),
      { numRuns: 500 },
    )
  })

  it('never throw on random bytes, with or without a plausible head', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), fc.boolean(), async (random, withMagic) => {
        const bytes = Buffer.from(random)
        if (withMagic && bytes.length > 8) {
          bytes.set(MAGIC, MAGIC_OFFSET)
          bytes[8]! %= 4
        }
        expect(typeof (await decode(bytes))).toBe('string')
      }),
      { numRuns: 2000 },
    )
  })

  it('tell any list of tags apart', async () => {
    const life = { fence: 1, bornAt: 1, modifiedAt: 1, retryAt: 0, revalidate: 1, expire: 1 }
    const lists = [[], [''], ['', ''], ['a'], ['a', 'b'], ['a,b'], ['a,b', 'c'], [','], ['\ud800', 'b']]
    for (const tags of lists) {
      const record = await encode({ ...life, tags, detail: {}, chunks: [] }, format())
      expect(await decode(record)).toMatchObject({ tags })
    }
  })

  it('are refused before anything is allocated when they announce more than the bound', async () => {
    const entry: NewEntry = {
      fence: 1,
      bornAt: 1,
      modifiedAt: 1,
      retryAt: 0,
      revalidate: Infinity,
      expire: Infinity,
      tags: [],
      detail: {},
      chunks: [Buffer.alloc(200_000)],
    }
    const bomb = await encode(entry, format('gzip'))
    expect(bomb.length).toBeLessThan(2000)
    expect(await decode(bomb, format('none', { maxEntryBytes: 100_000 }))).toBe('too-large')
    // A head that lies about the size does not help: decompression stops at what the head announced.
    const lying = Buffer.from(bomb)
    lying.writeUInt32BE(1000, 33)
    lying.writeUInt32BE(crc32(lying.subarray(4), crc32(Buffer.from(KEY))), 0)
    expect(typeof decodeRecord(KEY, lying, 100_000)).toBe('object')
    expect(await decode(lying, format('none', { maxEntryBytes: 100_000 }))).toBe('decompress')
  })

  it('name the fault', async () => {
    expect(await decode(Buffer.alloc(3))).toBe('short')
    expect(await decode(Buffer.alloc(100))).toBe('magic')
  })
})

it('the CRC-32 of text is that of its UTF-8, lone surrogates included', () => {
  const units = fc.array(fc.integer({ min: 0, max: 0xffff })).map((codes) => String.fromCharCode(...codes))
  fc.assert(
    fc.property(units, fc.uint8Array(), (text, before) => {
      const expected = crc32(Buffer.from(text), crc32(before))
      expect(crc32(text, crc32(before))).toBe(expected)
      expect(crc32Portable(text, crc32Portable(before))).toBe(expected)
    }),
  )
})

it('the portable CRC-32 agrees with the native one', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
      expect(crc32Portable(b, crc32Portable(a))).toBe(crc32(b, crc32(a)))
    }),
  )
})
