import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parseKeyring } from '../../src/encryption'
import { encodeEntry } from '../../src/entry'
import { createKeyNames } from '../../src/key-names'
import type { Driver, Preset } from '../../src/options'
import { HEAD_BYTES, MAGIC, MAGIC_OFFSET } from '../../src/record'
import { casesOf, Dice, seedOf } from '../support/hostile'
import { type RedisServer, startRedis } from '../support/redis-server'
import {
  contentOf,
  createFleet,
  DRIVERS,
  record,
  type Replica,
  TEST_OPTIONS,
  useCacheEntry,
} from '../support/replicas'

const PREFIX = 'ndc:test'
const STATE = `${PREFIX}:tags`
const names = createKeyNames(PREFIX, 'build-1')
const KEYS = Array.from({ length: 12 }, (_, index) => `key-${index}`)
const RING = parseKeyring(`k:${Buffer.alloc(32, 9).toString('base64')}`)
const SEED = seedOf('poisoned Redis')
const ROUNDS = casesOf(6, 200)
/** Small, so that what is beyond the bound is quickly made. */
const maxEntryBytes = 256 * 1024
const NEVER = Number.MAX_SAFE_INTEGER

let redis: RedisServer
const fleet = createFleet()

beforeAll(async () => void (redis = await startRedis()))
afterAll(() => redis.stop())

const run = (lua: string, key: string, ...args: (string | number | Buffer)[]) =>
  redis.command('EVAL', lua, 1, key, ...args)

/** What an attacker may do to one key, whatever it holds. */
const POISONS: Record<string, (key: string, dice: Dice) => Promise<unknown>> = {
  random: (key, dice) => redis.command('SET', key, dice.bytes(dice.below(500))),
  empty: (key) => redis.command('SET', key, ''),
  list: (key) => replaceWith(key, 'RPUSH', 'x'),
  hash: (key) => replaceWith(key, 'HSET', 'x', 'y'),
  stream: (key) => replaceWith(key, 'XADD', '*', 'x', 'y'),
  deleted: (key) => redis.command('DEL', key),
  truncated: (key, dice) =>
    onString(key, `redis.call('SET', KEYS[1], string.sub(value, 1, ${dice.below(300)}))`),
  flipped: (key, dice) =>
    onString(key, `redis.call('SETBIT', KEYS[1], ${dice.below(1600)} % (#value * 8), ${dice.below(2)})`),
  huge: (key) => redis.command('SETRANGE', key, 8 * 1024 * 1024, 'x').catch(() => undefined),
  // Newer than everything, and nothing behind it.
  head: (key, dice) => redis.command('SET', key, headOf(NEVER, dice)),
  'near head': (key, dice) => redis.command('SET', key, headOf((Date.now() + 3_600_000) * 1000, dice)),
}

async function replaceWith(key: string, command: string, ...args: string[]): Promise<unknown> {
  await redis.command('DEL', key)
  return redis.command(command, key, ...args)
}

function onString(key: string, lua: string): Promise<unknown> {
  return run(
    `if redis.call('TYPE', KEYS[1]).ok ~= 'string' then return end
     local value = redis.call('GET', KEYS[1])
     if value == '' then return end
     ${lua}`,
    key,
  )
}

function headOf(time: number, dice: Dice): Buffer {
  const head = dice.bytes(HEAD_BYTES + dice.below(100))
  MAGIC.copy(head, MAGIC_OFFSET)
  for (const at of [9, 16, 23]) {
    head.writeUIntBE(Math.floor(time / 2 ** 32), at, 3)
    head.writeUInt32BE(Math.floor(time) % 2 ** 32, at + 3)
  }
  return head
}

const FIELDS = ['clock', 'floor', 'incarnation', 'alive', 'keep', 'keepUntil', ':tag-0', ':tag-1']
const NONSENSE = [
  'nan',
  'inf',
  '-5',
  '1.5',
  '',
  'x',
  '0',
  '5 6',
  '0x10',
  '1e300',
  String(NEVER),
  String(2 ** 52),
  String((Date.now() + 29 * 24 * 3_600_000) * 1000),
]

async function poisonState(dice: Dice): Promise<void> {
  if (dice.below(3) === 0) {
    await POISONS[dice.pick(['random', 'list', 'stream', 'deleted'])]!(STATE, dice)
    return
  }
  for (let times = 1 + dice.below(3); times > 0; times--)
    await redis.command('HSET', STATE, dice.pick(FIELDS), dice.pick(NONSENSE)).catch(() => undefined)
}

async function poisonEverything(dice: Dice): Promise<void> {
  const keys = (await redis.command('KEYS', `${PREFIX}:*`)) as string[]
  const entries = keys.filter((key) => key !== STATE)
  for (const key of [...entries, ...KEYS.map((cacheKey) => `${names.entry('use-cache', cacheKey)}:lease`)])
    if (dice.below(4) === 0)
      await redis.command('COPY', dice.pick(entries), key, 'REPLACE').catch(() => undefined)
    else await POISONS[dice.pick(Object.keys(POISONS))]!(key, dice)
  await poisonState(dice)
}

const combinations = (Object.keys(DRIVERS) as Driver[]).flatMap((driver) =>
  (['strict', 'l1-pubsub'] as Preset[]).flatMap((preset) =>
    ['plain', 'sealed'].map((how) => [driver, preset, how] as const),
  ),
)

describe.each(combinations)('a poisoned Redis over %s, %s, %s', (driver, preset, how) => {
  let a: Replica
  let b: Replica
  const encryption = how === 'sealed' ? RING : undefined

  beforeEach(async () => {
    await redis.command('FLUSHALL')
    a = start()
    b = start()
  })
  afterEach(() => fleet.stop())

  const start = (more: { singleFlight?: { leaseMs: number; waitMs: number } } = {}) =>
    fleet.start({ url: redis.url, driver, encryption, options: { preset, maxEntryBytes, ...more } })
  const get = async (replica: Replica, key: string) =>
    contentOf(await replica.useCacheHandlers.default.get(key, []))

  async function set(replica: Replica, key: string, content = `content of ${key}`): Promise<void> {
    // One of its own: entries of one process whose tags cover each other's could be made of each other.
    const tags = [`own-${key}`, 'tag-0', 'tag-1']
    await replica.useCacheHandlers.default.set(key, Promise.resolve(useCacheEntry(content, { tags })))
  }

  /** As Next: renders what is missing. How often that may be: once for the entry, and while the tag state is mended. */
  async function served(replica: Replica, key: string): Promise<void> {
    for (let renders = 0; renders < 4; renders++) {
      const content = await get(replica, key)
      if (content !== undefined) {
        expect(content).toBe(`content of ${key}`)
        return
      }
      await set(replica, key)
    }
    expect(await get(replica, key)).toBe(`content of ${key}`)
  }

  it(`${ROUNDS} rounds: nothing throws, nothing wrong is served, renders repair it`, async () => {
    const dice = new Dice(SEED)
    const faults = await record('fault', async () => {
      for (let round = 0; round < ROUNDS; round++) {
        for (const key of KEYS) await served(a, key)
        await poisonEverything(dice)
        const fresh = start()
        for (const key of KEYS)
          for (const replica of [a, b, fresh])
            expect([undefined, `content of ${key}`]).toContain(await get(replica, key))
        for (const key of KEYS) await served(fresh, key)
        for (const key of KEYS) await served(b, key)
        // Found as it should be by somebody who remembers nothing.
        const other = start()
        for (const key of KEYS) await served(other, key)
        await other.useCacheHandlers.default.updateTags(['tag-0'])
        await fresh.close()
        await other.close()
      }
    })
    expect(new Set(faults.map(({ fault }) => fault)).size).toBeGreaterThan(3)
  }, 600_000)

  it.each(Object.keys(POISONS))('%s under a key: a miss, and the next write replaces it', async (poison) => {
    await served(a, 'key-0')
    const name = names.entry('use-cache', 'key-0')
    await POISONS[poison]!(name, new Dice(SEED))
    const fresh = start()
    // A read that Redis did not answer in time has seen nothing.
    for (let tier = 'none'; tier === 'none';) {
      const reads = await record('read', async () =>
        expect([undefined, 'content of key-0']).toContain(await get(fresh, 'key-0')),
      )
      tier = reads[0]?.tier ?? 'none'
    }
    const writes = await record('write', () => set(fresh, 'key-0', 'new'))
    expect(writes).toMatchObject([{ outcome: 'stored' }])
    expect(await get(start(), 'key-0')).toBe('new')
    expect(await redis.command('PTTL', name)).toBeGreaterThan(0)
  })

  it('the record of another key is a fault, and not served', async () => {
    await served(a, 'key-0')
    await set(a, 'key-1', 'content of key-1')
    await redis.command(
      'COPY',
      names.entry('use-cache', 'key-0'),
      names.entry('use-cache', 'key-1'),
      'REPLACE',
    )
    const fresh = start()
    const faults = await record('fault', async () => expect(await get(fresh, 'key-1')).toBeUndefined())
    expect(faults).toMatchObject([{ fault: 'checksum' }])
  })

  it('a record from before an invalidation, put back, is not served', async () => {
    await served(a, 'key-0')
    const name = names.entry('use-cache', 'key-0')
    await redis.command('COPY', name, 'kept')
    await a.useCacheHandlers.default.updateTags(['tag-0'])
    await served(a, 'key-0')
    await redis.command('COPY', 'kept', name, 'REPLACE')
    expect(await get(start(), 'key-0')).toBeUndefined()
  })

  it('a record older than the longest life, put back, is a fault: its tags may be forgotten', async () => {
    await served(a, 'key-0')
    const name = names.entry('use-cache', 'key-0')
    const now = Date.now() * 1000
    const tooOld = now - (TEST_OPTIONS.maxTtlSeconds + 2 * 24 * 3600) * 1_000_000
    const [clock] = (await redis.command('HMGET', STATE, 'clock')) as string[]
    const life = { modifiedAt: now, retryAt: 0, revalidate: 60, expire: Infinity }
    const entry = {
      ...life,
      fence: Number(clock),
      tags: [],
      detail: 60,
      chunks: [Buffer.from('old')],
    }
    const compression = { codec: 'none', thresholdBytes: 0 } as const
    const seen: (string | undefined)[] = []
    for (const bornAt of [now, tooOld]) {
      const bytes = await encodeEntry(name, { ...entry, bornAt }, { compression, maxEntryBytes, encryption })
      await redis.command('SET', name, bytes as Buffer)
      const fresh = start()
      const faults = await record('fault', async () => void seen.push(await get(fresh, 'key-0')))
      seen.push(...faults.map(({ fault }) => fault))
    }
    expect(seen).toEqual(['old', undefined, 'time'])
  })

  it('a lease that never ends, or of another type, holds nobody off', async () => {
    const flying = start({ singleFlight: { leaseMs: 1500, waitMs: 20_000 } })
    for (const key of ['random', 'huge', 'list', 'hash', 'stream'] as const) {
      await POISONS[key]!(`${names.entry('use-cache', key)}:lease`, new Dice(SEED))
      const leases = await record('lease', async () => expect(await get(flying, key)).toBeUndefined())
      expect(leases).toMatchObject([{ role: 'leader' }])
      await set(flying, key)
      expect(await get(flying, key)).toBe(`content of ${key}`)
    }
  })

  it.each([...FIELDS, 'another type'])(
    'tag state with a poisoned %s mends itself, and no invalidation is lost',
    async (what) => {
      for (const value of what === 'another type' ? ['list', 'stream', 'random'] : NONSENSE) {
        await served(a, 'key-0')
        if (what === 'another type') await POISONS[value]!(STATE, new Dice(SEED))
        else await redis.command('HSET', STATE, what, value)
        // The reader that finds it mends it.
        expect(await record('unavailable', () => get(b, 'key-0'))).toEqual([])
        const fresh = start()
        await served(fresh, 'key-0')
        await served(b, 'key-0')
        await a.useCacheHandlers.default.updateTags(['tag-0', 'tag-1'])
        const last = start()
        expect(await get(last, 'key-0')).toBeUndefined()
        await served(last, 'key-0')
        await served(fresh, 'key-0')
        expect(await redis.command('PTTL', STATE)).toBeGreaterThan(0)
        await Promise.all([fresh.close(), last.close()])
      }
    },
  )

  it('a huge value costs no more than the bound', async () => {
    await served(a, 'key-0')
    await redis.command('SETRANGE', names.entry('use-cache', 'key-0'), 200 * 1024 * 1024, 'x')
    const before = await bytesSent()
    const faults = await record('fault', async () => {
      expect(await get(start(), 'key-0')).toBeUndefined()
      // Conditionally, by somebody who holds the body: another record is there by now, born at another time than any.
      await redis.command('SETRANGE', names.entry('use-cache', 'key-0'), 16, 'xxxxxxxx')
      if (preset === 'strict') expect(await get(a, 'key-0')).toBeUndefined()
    })
    expect(faults.map(({ fault }) => fault)).toEqual(
      preset === 'strict' ? ['too-large', 'too-large'] : ['too-large'],
    )
    expect((await bytesSent()) - before).toBeLessThan(4 * 1024 * 1024)
  })

  async function bytesSent(): Promise<number> {
    return Number(/total_net_output_bytes:(\d+)/.exec(String(await redis.command('INFO', 'stats')))?.[1])
  }

  if (how === 'sealed')
    it('what somebody without the key wrote is not served, however right it looks', async () => {
      await served(a, 'key-0')
      const name = names.entry('use-cache', 'key-0')
      const now = Date.now() * 1000
      const forged = {
        fence: now,
        bornAt: now,
        modifiedAt: now,
        retryAt: 0,
        revalidate: 3600,
        expire: 7200,
        tags: [],
        detail: 60,
        chunks: [Buffer.from('forged')],
      }
      const compression = { codec: 'none', thresholdBytes: 0 } as const
      const others = parseKeyring(`k:${Buffer.alloc(32, 8).toString('base64')}`)
      const seen: string[] = []
      for (const ring of [undefined, others]) {
        const bytes = await encodeEntry(name, forged, { compression, maxEntryBytes, encryption: ring })
        await redis.command('SET', name, bytes as Buffer)
        const fresh = start()
        const faults = await record('fault', async () => expect(await get(fresh, 'key-0')).toBeUndefined())
        seen.push(...faults.map(({ fault }) => fault))
        await served(fresh, 'key-0')
      }
      expect(seen).toEqual(['plain', 'authentication'])
      // Nothing of what is stored can be read.
      await set(a, 'key-0', 'canary-content')
      expect(await run(`return string.find(redis.call('GET', KEYS[1]), 'canary', 1, true)`, name)).toBeNull()
    })
})
