import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { RedisClient } from '../../runtime/clients/client'
import { RecordWriter } from '../../runtime/store/record-writer'
import type { Driver } from '../../src/options'
import { joined } from '../../src/pieces'
import { encodeRecord, HEAD_BYTES, MAGIC, MAGIC_OFFSET, type RecordHead } from '../../src/record'
import { type RedisServer, startRedis } from '../support/redis-server'
import { DRIVERS } from '../support/replicas'

const KEY = 'ndc:test:build-1:u:{key}'
const NEVER = Number.MAX_SAFE_INTEGER

let redis: RedisServer

beforeAll(async () => void (redis = await startRedis()))
afterAll(() => redis.stop())

/** Times that differ in one byte of seven, and such that carry over into the next. */
const micros = fc.oneof(
  fc.tuple(fc.nat(6), fc.nat(2)).map(([at, times]) => Math.min(NEVER, 2 ** (8 * at) * times)),
  fc.constantFrom(0, 255, 256, 2 ** 32 - 1, 2 ** 32, NEVER - 1, NEVER),
  fc.nat(3).map((more) => 1_766_000_000_000_000 + more),
)
const times = fc.record({ fence: micros, bornAt: micros, modifiedAt: micros })
const aLittle = fc.integer({ min: -1, max: 1 })
const step = fc.record({ fence: aLittle, bornAt: aLittle, modifiedAt: aLittle })
type Times = Pick<RecordHead, 'fence' | 'bornAt' | 'modifiedAt'>

const moved = (time: number, by: number) => Math.min(NEVER, Math.max(0, time + by))
const near = ({ fence, bornAt, modifiedAt }: Times, by: Times): Times => ({
  fence: moved(fence, by.fence),
  bornAt: moved(bornAt, by.bornAt),
  modifiedAt: moved(modifiedAt, by.modifiedAt),
})
/** Any two, two of nearly the same time, and two that only what does not count tells apart. */
const pairs = fc.oneof(
  fc.tuple(times, times),
  fc.tuple(times, micros).map(([one, modifiedAt]): [Times, Times] => [one, { ...one, modifiedAt }]),
  fc.tuple(times, step).map(([one, by]): [Times, Times] => [one, near(one, by)]),
)

const recordOf = (head: Times) =>
  joined(encodeRecord(KEY, { ...head, codec: 'none', rawBytes: 0 }, Buffer.from('["",1,1,1]'), []))

describe.each(Object.keys(DRIVERS) as Driver[])('writes over %s', (driver) => {
  let client: RedisClient
  let writer: RecordWriter

  beforeAll(async () => {
    client = DRIVERS[driver]({ url: redis.url, connectMs: 2000, commandMs: 2000, clientName: 'test' })
    await client.waitUntilReady(2000)
    writer = new RecordWriter({ client, publisher: 'p', bus: 'ndc:test:bus' }, () => ({
      publisher: 'p',
      sequence: 1,
    }))
  })
  afterAll(() => client.close())
  afterEach(() => redis.command('FLUSHALL'))

  it('keep the newer record: by fence, then by the beginning of the generation, by nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, async ([one, other]) => {
        await redis.command('DEL', KEY)
        await writer.write(KEY, recordOf(one), 60_000, {})
        const isOlder = other.fence < one.fence || (other.fence === one.fence && other.bornAt < one.bornAt)
        const outcome = await writer.write(KEY, recordOf(other), 60_000, {})
        expect(outcome).toBe(isOlder ? 'superseded' : 'stored')
      }),
      { numRuns: 300, seed: 20_261_122 },
    )
  })

  it('replace what is none of ours, another format version and what is shorter than a head', async () => {
    const now = 1_766_000_000_000_000
    const mine = recordOf({ fence: now, bornAt: now, modifiedAt: now })
    const newest = recordOf({ fence: NEVER, bornAt: NEVER, modifiedAt: NEVER })
    const otherVersion = Buffer.from(newest)
    otherVersion[MAGIC_OFFSET + MAGIC.length - 1]! ^= 1
    const foreign = Buffer.alloc(100, 0xff)
    for (const [old, outcome] of [
      [newest, 'superseded'],
      [otherVersion, 'stored'],
      [foreign, 'stored'],
      [newest.subarray(0, HEAD_BYTES - 1), 'stored'],
    ] as const) {
      await redis.command('SET', KEY, old)
      expect(await writer.write(KEY, mine, 60_000, {})).toBe(outcome)
    }
    await redis.command('SET', KEY, newest)
    const damaged = newest.subarray(0, HEAD_BYTES)
    expect(await writer.write(KEY, mine, 60_000, { damaged })).toBe('stored')
  })
})
