import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { heartbeatPayload, invalidatePayload, keyPayload } from '../../src/bus-message'
import type { Driver } from '../../src/options'
import { casesOf, Dice, mutate, seedOf } from '../support/hostile'
import { type RedisServer, startRedis } from '../support/redis-server'
import { contentOf, createFleet, DRIVERS, record, type Replica, useCacheEntry } from '../support/replicas'

const SEED = seedOf('hostile bus')
const MESSAGES = casesOf(300, 20_000)
const BUS = 'ndc:test:bus'
const DAY_MICROS = 24 * 3600 * 1_000_000

let redis: RedisServer
const fleet = createFleet()

beforeAll(async () => void (redis = await startRedis()))
afterAll(() => redis.stop())

describe.each(Object.keys(DRIVERS) as Driver[])('whoever may publish, over %s', (driver) => {
  let a: Replica
  let b: Replica

  beforeEach(async () => {
    await redis.command('FLUSHALL')
    a = start()
    b = start()
  })
  afterEach(() => fleet.stop())

  const start = () => fleet.start({ url: redis.url, driver, options: { preset: 'l1-pubsub' } })
  const on = (replica: Replica) => replica.useCacheHandlers.default
  const read = async (replica: Replica, key = 'k') => contentOf(await on(replica).get(key, []))

  async function fill(replica: Replica, content: string): Promise<void> {
    await read(replica)
    await on(replica).set('k', Promise.resolve(useCacheEntry(content, { tags: ['t'] })))
  }

  /**
   * Until it is served from memory: the subscription is proven. As Next, it renders what is missing: whoever believed
   * a clock for a moment raises the floor with the next heartbeat.
   */
  async function warm(replica: Replica, content: string): Promise<void> {
    await until(async () => {
      const [seen] = await record('read', async () =>
        expect([undefined, content]).toContain(await read(replica)),
      )
      if (seen?.result === 'miss') await fill(replica, content)
      return seen?.tier === 'local'
    })
  }

  async function clock(): Promise<number> {
    return Number(((await redis.command('HMGET', 'ndc:test:tags', 'clock')) as string[])[0])
  }

  const change = (windowMicros?: number) =>
    invalidatePayload({ publisher: 'forger', sequence: 1 }, [{ tag: 't', windowMicros }])
  /** What can be claimed of the clock: near and far, forward and back. */
  const forgeries: [string, (now: number) => string][] = [
    ['a floor of the far future', () => `floor ${Number.MAX_SAFE_INTEGER}`],
    ['a floor of tomorrow', (now) => `floor ${now + DAY_MICROS}`],
    ['a floor of the next second', (now) => `floor ${now + 1_000_000}`],
    ['a floor of the past', () => 'floor 1'],
    ['an invalidation of tomorrow', (now) => `invalidate ${now} ${now + DAY_MICROS} ${now} ${change()}`],
    ['one that continues the chain', (now) => `invalidate ${now} ${now + 1_000_000} ${now} ${change()}`],
    ['a soft one that never ends', (now) => `invalidate ${now} ${now + 9} ${now} ${change(1e15)}`],
    ['one of the past', (now) => `invalidate 0 1 ${now} ${change()}`],
    [
      'a heartbeat of tomorrow',
      (now) => `heartbeat ${now + DAY_MICROS} ${heartbeatPayload({ publisher: 'x', sequence: 0 }, 0)}`,
    ],
    ['a heartbeat of the past', () => `heartbeat 1 ${heartbeatPayload({ publisher: 'x', sequence: 0 }, 0)}`],
    ['an overwrite', () => `write ${keyPayload({ publisher: 'x', sequence: 1e15 }, 'k')}`],
    ['garbage', () => '\u0000{{{'],
  ]

  it.each(forgeries)(
    '%s: no invalidation is missed afterwards, and nothing else is lost for long',
    async (_, forge) => {
      await fill(a, 'old')
      await warm(a, 'old')
      await warm(b, 'old')
      await redis.command('PUBLISH', BUS, forge(await clock()))
      expect([undefined, 'old']).toContain(await read(b))
      await on(a).updateTags(['t'])
      // Once b has heard of it, or noticed that it missed something, it is final there.
      await until(async () => (await read(b)) === undefined)
      await fill(a, 'new')
      await warm(b, 'new')
      await warm(a, 'new')
      // And the server's clock was not dragged along: a restart finds what is there.
      expect(await clock()).toBeLessThan(Date.now() * 1000 + 3_600_000_000)
      await warm(start(), 'new')
    },
  )

  it(`${MESSAGES} mutated messages: nothing throws, nothing old comes back`, async () => {
    const dice = new Dice(SEED)
    const now = await clock()
    const originals = forgeries.map(([, forge]) => Buffer.from(forge(now)))
    for (let round = 0; round < 5; round++) {
      await fill(a, `old ${round}`)
      for (let i = 0; i < MESSAGES / 5; i++)
        await redis.command('PUBLISH', BUS, mutate(dice, dice.pick(originals), originals))
      await on(a).updateTags(['t'])
      await until(async () => (await read(b)) === undefined)
      expect(await read(start())).toBeUndefined()
    }
    await fill(a, 'new')
    await warm(b, 'new')
  })
})

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('It did not come to pass within 20 s')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
