import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ResponseValue } from '../../runtime/handlers/next-types'
import { packResponse } from '../../runtime/handlers/response-codec'
import { packUseCache } from '../../runtime/handlers/use-cache-codec'
import { crc32, crc32Portable } from '../../src/crc32'
import { parseKeyring } from '../../src/encryption'
import {
  bytesOf,
  decodeEntry,
  encodeEntry,
  type Entry,
  type EntryFormat,
  type NewEntry,
  storedEntry,
} from '../../src/entry'
import type { Codec } from '../../src/options'
import { joined } from '../../src/pieces'
import { decodeRecord, encodeRecord, HEAD_BYTES, MAGIC, MAGIC_OFFSET } from '../../src/record'
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

it.each(
  codecs.flatMap(
    (codec) =>
      [
        [codec, undefined],
        [codec, RING],
      ] as const,
  ),
)('an entry keeps alive either its record or its body, not both: %s, %s', async (codec, encryption) => {
  const as = format(codec, { encryption })
  const times = { fence: 1, bornAt: 1, modifiedAt: 1, retryAt: 0, revalidate: 1, expire: 1 }
  const entry = { ...times, tags: [], detail: {}, chunks: [Buffer.alloc(100_000, 'text')] }
  const { body, stamp } = (await decode(await encode(entry, as), as)) as Entry
  expect(body).toHaveLength(100_000)
  if (stamp.buffer !== body.buffer) expect(stamp.buffer.byteLength).toBe(HEAD_BYTES)
})

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
        const { body, bodyBytes, stamp, ...decodedFacts } = decoded
        expect(stamp.equals(bytes.subarray(0, HEAD_BYTES))).toBe(true)
        expect(decodedFacts).toEqual(facts)
        expect(Buffer.concat(chunks).equals(body)).toBe(true)
        expect([body.length, bodyBytes]).toEqual([bytesOf(chunks), bytesOf(chunks)])
        // Who wrote it need not read it again.
        expect(storedEntry(KEY, bytes, entry)).toEqual(decoded)
      }),
      { numRuns: 200 },
    )
  })

  it.each(codecs)('that were compressed are what their writer keeps (%s)', async (codec) => {
    const entry = { ...fc.sample(newEntry, { numRuns: 1, seed: 1 })[0]!, chunks: [Buffer.alloc(5000, 'ab')] }
    const bytes = await encode(entry, format(codec))
    expect(bytes.length < 5000).toBe(codec !== 'none')
    expect(storedEntry(KEY, bytes, entry)).toEqual(await decode(bytes))
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

  it('of a small value are hardly larger than what they hold', async () => {
    const tags = Array.from({ length: 5 }, (_, index) => `bench-tag-${index}`)
    const told = { tags, revalidate: 3600, expire: 86_400 }
    const times = { fence: 1e15, bornAt: 1e15, modifiedAt: 1e15, retryAt: 0 }
    const headers = { 'x-next-cache-tags': tags.join(), 'content-type': 'text/html; charset=utf-8' }
    const page: ResponseValue = { kind: 'APP_PAGE', html: 'x'.repeat(512), headers, status: 200 }
    const stream = [Buffer.alloc(1024)]
    // What Next.js hands over besides the value: tags or headers, and eight bytes for each number.
    for (const [packed, given] of [
      [packUseCache({ stale: 300 }, stream), tags.join('').length + 4 * 8],
      [
        packResponse({ ...page, rscData: Buffer.alloc(512) }, { revalidate: 3600, expire: 86_400 }, told),
        Object.entries(headers).flat().join('').length + 3 * 8,
      ],
    ] as const) {
      const bytes = await encode({ ...times, ...told, ...packed }, format('none'))
      expect(bytes.length).toBeLessThanOrEqual(1.04 * (1024 + given))
    }
  })

  it('with metadata that is none of ours are damaged', async () => {
    const head = { fence: 1, bornAt: 1, modifiedAt: 1, codec: 'none', rawBytes: 0 } as const
    const decoded = (meta: string) => decode(joined(encodeRecord(KEY, head, Buffer.from(meta), [])))
    expect(await decoded('["a,b",1,"",{},1,5,6]')).toMatchObject({
      tags: ['a', 'b'],
      revalidate: 1,
      expire: Infinity,
      detail: {},
      fromBuild: true,
      retryAt: 5,
      retryFence: 6,
    })
    for (const meta of [
      '',
      'x',
      '{}',
      'null',
      '"abcd"',
      '[]',
      '["",1,1]',
      '["",1,1,{}',
      '[1,1,1,{}]',
      '[[1],1,1,{}]',
    ])
      expect(await decoded(meta)).toBe('metadata')
    for (const life of ['null,1', '1,null', '"Infinity",1', '1,[]', '"1",1', '1,true'])
      expect(await decoded(`["",${life},{}]`)).toBe('metadata')
    for (const rest of ['2', 'null', '"1"', '0,null', '0,0.5', '0,"5"', '0,5,null', '0,5,1e300'])
      expect(await decoded(`["",1,1,{},${rest}]`)).toBe('metadata')
  })

  it('with a life that is not a number are not told one', async () => {
    const life = { fence: 1, bornAt: 1, modifiedAt: 1, retryAt: 0, revalidate: 1, expire: 1 }
    const entry: NewEntry = { ...life, tags: [], detail: {}, chunks: [] }
    for (const broken of [{ revalidate: NaN }, { expire: NaN }, { expire: -Infinity }])
      expect(await decode(await encode({ ...entry, ...broken }, format()))).toBe('metadata')
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
    const entry: NewEntry = {
      fence: 1,
      bornAt: 1,
      modifiedAt: 1,
      retryAt: 0,
      revalidate: 1,
      expire: 1,
      tags: [],
      detail: {},
      chunks: [],
    }
    const other = await encode(entry, format())
    other[MAGIC_OFFSET + 3]! ^= 1
    expect(await decode(other)).toBe('version')
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
