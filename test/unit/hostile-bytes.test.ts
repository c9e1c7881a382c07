import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ResponseValue } from '../../runtime/handlers/next-types'
import { packResponse } from '../../runtime/handlers/response-codec'
import { packUseCache, unpackUseCache } from '../../runtime/handlers/use-cache-codec'
import { parseTagView, parseTime } from '../../runtime/store/replies'
import { heartbeatPayload, invalidatePayload, keyPayload, parseBusMessage } from '../../src/bus-message'
import { isCodecAvailable } from '../../src/compression'
import { parseKeyring } from '../../src/encryption'
import { decodeEntry, encodeEntry, type EntryFormat } from '../../src/entry'
import { decodeRecord, maxRecordBytes } from '../../src/record'
import { parseTagRecord } from '../../src/tag-state'
import { casesOf, Dice, mutate, seedOf, withChecksum, withLengths } from '../support/hostile'
import { unpackResponse } from '../support/unpack-response'

const SEED = seedOf('hostile bytes')
const CASES = casesOf(20_000, 1_000_000)
const MAX_BYTES = 64 * 1024
const KEY = 'ndc:test:build-1:r:{key}'
const MINUTE = 60_000

/** The largest buffer that was asked for, and what is held in the end. */
let largest = 0
let heldBefore = 0
const restore: (() => void)[] = []

beforeEach(() => {
  largest = 0
  for (const name of ['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const) {
    const original = Buffer[name]
    // No spy of the test runner: it would keep every buffer.
    Buffer[name] = ((size: number, ...rest: never[]) => {
      largest = Math.max(largest, size)
      return (original as (size: number, ...rest: never[]) => Buffer<ArrayBuffer>)(size, ...rest)
    }) as never
    restore.push(() => void (Buffer[name] = original as never))
  }
  heldBefore = process.memoryUsage().arrayBuffers
})
afterEach(() => {
  for (const undo of restore.splice(0)) undo()
  // Whatever the garbage collector has not come to is far below one announced length of 4 GiB.
  expect(process.memoryUsage().arrayBuffers - heldBefore).toBeLessThan(512 * 1024 * 1024)
})

const values: ResponseValue[] = [
  {
    kind: 'APP_PAGE',
    html: '<p>page</p>'.repeat(40),
    rscData: Buffer.from('rsc'.repeat(50)),
    segmentData: new Map([['/a', Buffer.from('segment')]]),
    headers: { 'x-next-cache-tags': 'a,b', list: ['1', '2'] },
    status: 200,
  },
  { kind: 'APP_ROUTE', body: Buffer.from('body'), headers: { a: 'b' }, status: 201 },
  { kind: 'PAGES', html: 'html', pageData: { props: { a: [1] } }, headers: {}, status: 200 },
  { kind: 'REDIRECT', props: { to: '/' } },
  { kind: 'FETCH', data: { headers: {}, body: 'dGV4dA==', url: 'http://a/' }, revalidate: 60, tags: ['t'] },
  { kind: 'IMAGE', buffer: Buffer.from('image'), etag: 'e', upstreamEtag: 'u', extension: 'webp' },
]
const TOLD = { tags: ['a', 'b'], revalidate: 60, expire: 90 }
const packed = [
  ...values.map((value) => packResponse(value, { revalidate: 60, expire: 90 }, TOLD)),
  packUseCache({ stale: 30 }, [Buffer.from('stream')]),
]

const ring = parseKeyring(`a:${Buffer.alloc(32, 1).toString('base64')}`)
const codecs = (['none', 'gzip', 'brotli', 'zstd'] as const).filter(isCodecAvailable)
const format = (more: Partial<EntryFormat> = {}): EntryFormat => ({
  compression: { codec: 'none', thresholdBytes: 0 },
  maxEntryBytes: MAX_BYTES,
  ...more,
})

async function records(encryption?: typeof ring): Promise<Buffer[]> {
  const all: Buffer[] = []
  for (const codec of codecs)
    for (const value of packed) {
      const life = { fence: 5, bornAt: 6, modifiedAt: 7, retryAt: 0 }
      const as = format({ compression: { codec, thresholdBytes: 0 }, encryption })
      all.push((await encodeEntry(KEY, { ...life, ...TOLD, ...value }, as)) as Buffer)
    }
  return all
}

/** A value that a handler would hand to Next: everything that Next relies on has its type. */
function expectSound(value: ResponseValue | null): void {
  if (value === null) return
  expect(values.map(({ kind }) => kind)).toContain(value.kind)
  if ('headers' in value)
    for (const header of Object.values(value.headers ?? {}))
      expect(['string', 'number', 'object']).toContain(typeof header)
  if ('status' in value && value.status !== undefined) expect(value.status).toBeGreaterThanOrEqual(100)
}

describe('bytes from outside', () => {
  it(
    `as records and values: ${CASES} mutations, no throw, nothing large is allocated`,
    async () => {
      const dice = new Dice(SEED)
      const originals = await records()
      let decoded = 0
      let unpacked = 0
      for (let i = 0; i < CASES; i++) {
        let bytes = mutate(dice, dice.pick(originals), originals)
        if (dice.below(2) === 0) bytes = withLengths(dice, bytes)
        if (dice.below(4) > 0) bytes = withChecksum(KEY, bytes)
        const entry = await decodeEntry(KEY, bytes, format())
        if (typeof entry === 'string') continue
        decoded++
        expect(entry.body.length).toBeLessThanOrEqual(MAX_BYTES)
        try {
          expectSound(unpackResponse(entry.detail, entry.body, entry).value)
          const [, sections] = entry.detail as [number, number[]]
          expect(sections.reduce((total, info) => total + Math.floor(info / 4), 0)).toBe(entry.body.length)
          unpacked++
        } catch (error) {
          // The one thing that a codec may throw: the handler counts it. Assertions and crashes are none.
          expect(error).toBeInstanceOf(Error)
          expect((error as Error).name).not.toBe('AssertionError')
          expect(error).not.toBeInstanceOf(RangeError)
        }
        try {
          expect(typeof unpackUseCache(entry.detail).stale).toBe('number')
        } catch (error) {
          expect((error as Error).name).not.toBe('AssertionError')
        }
      }
      console.log(`${decoded} of ${CASES} were read as records, ${unpacked} of them as values`)
      // Mutations that nothing gets past would prove nothing.
      expect(decoded).toBeGreaterThan(CASES / 100)
      expect(largest).toBeLessThanOrEqual(maxRecordBytes(MAX_BYTES))
    },
    30 * MINUTE,
  )

  it.each(codecs.slice(1))('%s that holds more than it announces is not unpacked', async (codec) => {
    const chunks = [Buffer.alloc(8 * 1024 * 1024)]
    const life = { fence: 5, bornAt: 6, modifiedAt: 7, retryAt: 0, revalidate: 60, expire: 60, tags: [] }
    const as = { compression: { codec, thresholdBytes: 0 }, maxEntryBytes: 64 * 1024 * 1024 }
    const bomb = (await encodeEntry(KEY, { ...life, detail: {}, chunks }, as)) as Buffer
    bomb.writeUInt32BE(MAX_BYTES, 33)
    largest = 0
    expect(await decodeEntry(KEY, withChecksum(KEY, bomb), format())).toBe('decompress')
    expect(largest).toBeLessThan(1024 * 1024)
  })

  it(
    `as sealed records: ${CASES} mutations, not one is read`,
    async () => {
      const dice = new Dice(SEED + 1)
      const sealed = await records(ring)
      const all = [...sealed, ...(await records())]
      for (let i = 0; i < CASES; i++) {
        const original = dice.pick(all)
        let bytes = mutate(dice, original, all)
        if (dice.below(4) > 0) bytes = withChecksum(KEY, bytes)
        if (sealed.some((one) => one.equals(bytes))) continue
        expect(typeof decodeRecord(KEY, bytes, MAX_BYTES, ring)).toBe('string')
      }
      expect(largest).toBeLessThanOrEqual(maxRecordBytes(MAX_BYTES))
    },
    30 * MINUTE,
  )

  it(
    `as messages of the bus: ${CASES} mutations, no throw`,
    () => {
      const dice = new Dice(SEED + 2)
      const originals = [
        `invalidate 1000 1001 1002 ${invalidatePayload({ publisher: 'p', sequence: 3 }, [{ tag: 't', windowMicros: 5 }])}`,
        'floor 1000',
        `write ${keyPayload({ publisher: 'p', sequence: 4 }, 'key')}`,
        `release ${keyPayload({ publisher: 'p', sequence: 5 }, 'key')}`,
        `heartbeat 1000 ${heartbeatPayload({ publisher: 'p', sequence: 6 }, 123.5)}`,
        `write {"p":${'['.repeat(5000)}`,
      ].map((text) => Buffer.from(text))
      let parsed = 0
      for (let i = 0; i < CASES; i++) {
        const message = parseBusMessage(mutate(dice, dice.pick(originals), originals))
        if (message === undefined) continue
        parsed++
        if ('clock' in message) expect(Number.isSafeInteger(message.clock)).toBe(true)
        if ('sequence' in message) expect(Number.isSafeInteger(message.sequence)).toBe(true)
        if (message.kind === 'invalidate')
          for (const { tag, windowMicros } of message.changes) {
            expect(typeof tag).toBe('string')
            expect(windowMicros === undefined || windowMicros >= 0).toBe(true)
          }
      }
      expect(parsed).toBeGreaterThan(CASES / 100)
    },
    30 * MINUTE,
  )

  it(
    `as tag state: ${CASES} mutations, no throw, and no clock that cannot be`,
    () => {
      const dice = new Dice(SEED + 3)
      const originals = [
        '1700000000000000',
        '5',
        '0',
        '7 8 9',
        '7 8 9 10 11',
        'abc',
        'nan',
        '-1',
        '1e300',
      ].map((text) => Buffer.from(text))
      const field = () => {
        const kind = dice.below(12)
        if (kind === 0) return null
        if (kind === 1) return dice.below(100)
        if (kind === 2) return new Error('ERR')
        if (kind === 3) return [Buffer.from('1')]
        return kind < 8 ? dice.pick(originals) : mutate(dice, dice.pick(originals), originals)
      }
      let read = 0
      for (let i = 0; i < CASES; i++) {
        const tags = ['a', 'b', 'c'].slice(0, dice.below(4))
        const reply = Array.from({ length: 3 + tags.length + (dice.below(10) === 0 ? 1 : 0) }, field)
        // Half of them with a state around the records that is as it should be.
        if (dice.below(2) === 0) reply.splice(0, 3, ...['1000', '5', 'id'].map((text) => Buffer.from(text)))
        parseTime(reply)
        for (const part of reply) parseTagRecord(String(part))
        const view = parseTagView(reply, tags, 2e15)
        if (view === undefined) continue
        read++
        expect(view.clock).toBeLessThanOrEqual(2e15)
        expect(view.floor).toBeLessThanOrEqual(view.clock)
        for (const [tag, { hard, soft }] of view.records)
          if (!view.damaged.includes(tag)) {
            expect(hard).toBeLessThanOrEqual(view.clock)
            for (const window of soft) expect(window.clock).toBeLessThanOrEqual(view.clock)
          }
      }
      expect(read).toBeGreaterThan(CASES / 100)
    },
    30 * MINUTE,
  )
})
