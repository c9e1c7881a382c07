import { describe, expect, it } from 'vitest'
import { parseKeyring } from '../../src/encryption'
import {
  decodeEntry,
  encodeInPieces,
  type Entry,
  type EntryFormat,
  type NewEntry,
  storedEntry,
} from '../../src/entry'
import { gather, joined, Pieces, startOf } from '../../src/pieces'

const KEY = 'ndc:test:build-1:u:{key}'
const FIRST = Buffer.from('first')
const chunkOf = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte)

describe('bytes in pieces', () => {
  it.each([
    ['nothing more', [], 1],
    ['little', [10, 20], 1],
    ['one large chunk', [50_000], 2],
    ['large chunks with little between them', [5_000, 10, 10, 5_000, 10], 5],
    ['many chunks of a stream', Array<number>(30).fill(2_048), 31],
    ['too many of them', Array<number>(1_000).fill(1_500), 1],
  ])('%s: the same bytes, in the same order', (_what, lengths, count) => {
    const chunks = lengths.map(chunkOf)
    const bytes = gather(FIRST, chunks)
    const whole = Buffer.concat([FIRST, ...chunks])
    expect(joined(bytes).equals(whole)).toBe(true)
    expect(bytes.length).toBe(whole.length)
    expect(startOf(bytes).subarray(0, FIRST.length)).toEqual(FIRST)
    expect(bytes instanceof Pieces ? bytes.list.length : 1).toBe(count)
  })

  it('a view of much larger memory is copied, whatever is beside it', () => {
    const view = new Uint8Array(1_000_000).subarray(0, 5_000)
    for (const chunks of [[view], [chunkOf(100_000, 1), view], [view, chunkOf(100_000, 1)], [view, view]]) {
      const bytes = gather(FIRST, chunks)
      const kept = bytes instanceof Pieces ? bytes.list : [bytes]
      for (const { buffer } of kept) expect(buffer.byteLength).toBeLessThanOrEqual(100_000)
    }
  })

  const ring = parseKeyring(`k:${Buffer.alloc(32, 7).toString('base64')}`)
  it.each([undefined, ring])(
    'a record with a large chunk is what its reader takes (keys: %j)',
    async (encryption) => {
      const chunks = [chunkOf(3, 1), chunkOf(50_000, 2), chunkOf(7, 3), chunkOf(2_000, 4)]
      const life = { fence: 1, bornAt: 2, modifiedAt: 3, retryAt: 0, revalidate: 900, expire: 3600 }
      const entry: NewEntry = { ...life, tags: ['t'], detail: { is: 'detail' }, chunks }
      const format: EntryFormat = {
        compression: { codec: 'none', thresholdBytes: 1 },
        maxEntryBytes: 1e6,
        encryption,
      }
      const record = (await encodeInPieces(KEY, entry, format)) as Pieces
      // Sealed bytes are others.
      expect(record.list.includes(chunks[1] as Uint8Array)).toBe(encryption === undefined)
      const decoded = await decodeEntry(KEY, joined(record), format)
      expect(decoded).toMatchObject({ ...life, tags: ['t'], body: Buffer.concat(chunks) })
      const [held, later] = [storedEntry(KEY, record, entry), storedEntry(KEY, record, entry)]
      expect(held).toEqual(decoded)
      // Whoever gave us the chunk has it, too.
      chunks[1]![0] = 9
      expect(held.body.equals((decoded as Entry).body)).toBe(true)
      if (encryption !== undefined) return
      expect(() => later.body).toThrow('changed')
      expect(await decodeEntry(KEY, joined(record), format)).toBe('checksum')
    },
  )
})
