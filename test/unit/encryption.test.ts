import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { type Keyring, parseKeyring } from '../../src/encryption'
import { decodeEntry, encodeEntry, type Entry, type EntryFormat, type NewEntry } from '../../src/entry'
import { readEnvironment } from '../../src/environment'
import { HEAD_BYTES, maxRecordBytes } from '../../src/record'
import { withChecksum } from '../support/hostile'

const KEY = 'ndc:test:build-1:u:{key}'
const secretOf = (fill: number) => Buffer.alloc(32, fill).toString('base64')
const ring = (...ids: string[]) => parseKeyring(ids.map((id) => `${id}:${secretOf(id.charCodeAt(0))}`).join())

const format = (encryption?: Keyring, more: Partial<EntryFormat> = {}): EntryFormat => ({
  compression: { codec: 'none', thresholdBytes: 0 },
  maxEntryBytes: 100_000,
  encryption,
  ...more,
})
const entry: NewEntry = {
  fence: 5,
  bornAt: 6,
  modifiedAt: 7,
  retryAt: 0,
  revalidate: 60,
  expire: Infinity,
  tags: ['secret-tag'],
  detail: { header: 'secret-header' },
  chunks: [Buffer.from('secret-body'), Buffer.from('-and-more')],
}
const sealed = async (keys: Keyring, key = KEY, more = {}) =>
  (await encodeEntry(key, { ...entry, ...more }, format(keys))) as Buffer

describe('sealed records', () => {
  it('hide tags, header and body, and give them back', async () => {
    const bytes = await sealed(ring('a'))
    expect(bytes.includes('secret')).toBe(false)
    const opened = (await decodeEntry(KEY, bytes, format(ring('a')))) as Entry
    expect(opened.body.toString()).toBe('secret-body-and-more')
    expect(opened).toMatchObject({ fence: 5, bornAt: 6, modifiedAt: 7, tags: ['secret-tag'] })
  })

  it('of the same entry are never the same twice', async () => {
    const first = await sealed(ring('a'))
    const second = await sealed(ring('a'))
    expect(first.subarray(HEAD_BYTES).equals(second.subarray(HEAD_BYTES))).toBe(false)
  })

  it('are read by every key of the ring, and written with the first', async () => {
    const old = await sealed(ring('a'))
    expect(typeof (await decodeEntry(KEY, old, format(ring('b', 'a'))))).toBe('object')
    expect(await decodeEntry(KEY, await sealed(ring('b', 'a')), format(ring('a')))).toBe('key')
  })

  it('under a key of the same id but other bytes are not authentic', async () => {
    const other = parseKeyring(`a:${secretOf(1)}`)
    expect(await decodeEntry(KEY, await sealed(other), format(ring('a')))).toBe('authentication')
  })

  it('and plain ones never pass for each other', async () => {
    const plain = (await encodeEntry(KEY, entry, format())) as Buffer
    expect(await decodeEntry(KEY, plain, format(ring('a')))).toBe('plain')
    expect(await decodeEntry(KEY, await sealed(ring('a')), format())).toBe('key')
  })

  it('do not survive any change of any byte, the checksum mended or not', async () => {
    const bytes = await sealed(ring('a'))
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes)
      flipped[at] = (flipped[at] as number) ^ 0x11
      expect(typeof (await decodeEntry(KEY, flipped, format(ring('a'))))).toBe('string')
      const mended = withChecksum(KEY, flipped)
      if (!mended.equals(bytes))
        expect(typeof (await decodeEntry(KEY, mended, format(ring('a'))))).toBe('string')
    }
  })

  it('belong to their key, the checksum mended or not', async () => {
    const bytes = await sealed(ring('a'))
    const other = 'ndc:test:build-1:u:{other}'
    expect(await decodeEntry(other, bytes, format(ring('a')))).toBe('checksum')
    expect(await decodeEntry(other, withChecksum(other, bytes), format(ring('a')))).toBe('authentication')
  })

  it('are no larger than a read asks for', async () => {
    const longest = parseKeyring(`${'k'.repeat(32)}:${secretOf(1)}`)
    // 1 MiB of metadata at most, as readers demand; the rest of it is quotes and names.
    const detail = { header: 'x'.repeat(1024 * 1024 - 100) }
    const chunks = [Buffer.alloc(100_000)]
    const bytes = (await encodeEntry(KEY, { ...entry, detail, chunks }, format(longest))) as Buffer
    expect(bytes.length).toBeGreaterThan(1024 * 1024 + 100_000)
    expect(bytes.length).toBeLessThanOrEqual(maxRecordBytes(100_000))
    expect(typeof (await decodeEntry(KEY, bytes, format(longest)))).toBe('object')
  })
})

describe('writers refuse what readers would', () => {
  const huge = 'x'.repeat(1024 * 1024)
  it.each<[string, Partial<NewEntry>]>([
    ['a body', { chunks: [Buffer.alloc(100_001)] }],
    ['metadata', { detail: { huge } }],
    ['tags', { tags: Array.from({ length: 10_001 }, String) }],
  ])('%s beyond the bound', async (_, more) => {
    expect(await encodeEntry(KEY, { ...entry, ...more }, format())).toBeUndefined()
  })

  it('a body that only fits once it is compressed', async () => {
    const compression = { codec: 'gzip', thresholdBytes: 0 } as const
    const more = { chunks: [Buffer.alloc(100_001)] }
    expect(await encodeEntry(KEY, { ...entry, ...more }, format(undefined, { compression }))).toBeUndefined()
  })
})

describe('DISTRIBUTED_CACHE_ENCRYPTION_KEYS', () => {
  const read = (text: string) => readEnvironment({ DISTRIBUTED_CACHE_ENCRYPTION_KEYS: text }).encryption

  it('names keys, the first of which encrypts', () => {
    const keys = read(` new:${secretOf(1)}, old.2:${secretOf(2)} `)
    expect(keys?.first).toBe('new')
    expect([...(keys?.keys.keys() ?? [])]).toEqual(['new', 'old.2'])
    expect(read('')).toBeUndefined()
  })

  it('takes base64 with and without padding, and base64url', () => {
    const bytes = Buffer.alloc(32, 0xfb)
    for (const text of [bytes.toString('base64'), bytes.toString('base64url')])
      expect(read(`a:${text}`)?.keys.get('a')?.export().equals(bytes)).toBe(true)
  })

  const canary = randomBytes(32).toString('base64')
  it.each([
    ['no id', canary, 'Key 1 in DISTRIBUTED_CACHE_ENCRYPTION_KEYS has no id. Write id:key'],
    ['an empty id', `:${canary}`, 'Key 1 in DISTRIBUTED_CACHE_ENCRYPTION_KEYS has an unusable id.'],
    ['a long id', `${'i'.repeat(33)}:${canary}`, 'has an unusable id. Use 1 to 32'],
    ['one id twice', `a:${canary},a:${secretOf(1)}`, 'Key 2 in DISTRIBUTED_CACHE_ENCRYPTION_KEYS has the id'],
    ['a short key', `a:${canary.slice(0, 40)}`, 'Key 1 in DISTRIBUTED_CACHE_ENCRYPTION_KEYS is not 32 bytes'],
    ['a key with a typo', `a:${canary.slice(0, 20)}*${canary.slice(21)}`, 'is not 32 bytes in base64. Write'],
    ['a comma too many', `a:${canary},`, 'Key 2 in DISTRIBUTED_CACHE_ENCRYPTION_KEYS has no id'],
  ])('with %s is refused, and not repeated', (_, text, message) => {
    const refused = () => read(text)
    expect(refused).toThrow(message)
    expect(refused).toThrow(expect.objectContaining({ code: 'INVALID_ENVIRONMENT' }) as Error)
    try {
      refused()
    } catch (error) {
      const said = inspect(error, { depth: 9 })
      for (let at = 0; at + 12 <= canary.length; at += 4)
        expect(said).not.toContain(canary.slice(at, at + 12))
    }
  })

  it('does not show in what is printed of it', () => {
    const said = inspect(read(`a:${canary}`), { depth: 9, showHidden: true })
    expect(said).not.toContain(canary.slice(0, 12))
    expect(JSON.stringify([...(read(`a:${canary}`)?.keys ?? [])])).not.toContain(canary.slice(0, 12))
  })
})
