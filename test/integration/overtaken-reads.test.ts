import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import type { CreateClient } from '../../runtime/clients/client'
import type { Driver } from '../../src/options'
import { type RedisServer, startRedis } from '../support/redis-server'
import { contentOf, createFleet, DRIVERS, record, useCacheEntry } from '../support/replicas'

let redis: RedisServer
const fleet = createFleet()

beforeAll(async () => void (redis = await startRedis()))
afterEach(() => fleet.stop())
afterAll(() => redis.stop())

it.each(Object.keys(DRIVERS) as Driver[])(
  'a read whose reply is overtaken by an invalidation of its process, again and again, still answers, over %s',
  async (driver) => {
    await redis.command('FLUSHALL')
    let overtake = async (): Promise<void> => {}
    /** Holds the replies of reads back, as a slot that moves does. */
    const createClient: CreateClient = (options) => {
      const client = DRIVERS[driver](options)
      const send: typeof client.send = async (commands, timeoutMs) => {
        const replies = await client.send(commands, timeoutMs)
        if (commands.some(({ args }) => args[0] === 'HMGET')) await overtake()
        return replies
      }
      return {
        get ready() {
          return client.ready
        },
        send,
        waitUntilReady: (timeoutMs) => client.waitUntilReady(timeoutMs),
        laneOf: (key) => client.laneOf(key),
        onEvent: (listener) => client.onEvent(listener),
        subscribe: (...args) => client.subscribe(...args),
        close: () => client.close(),
      }
    }
    const { default: handler } = fleet.start({ url: redis.url, driver, createClient }).useCacheHandlers
    await handler.get('k', [])
    await handler.set('k', Promise.resolve(useCacheEntry('content', { tags: ['t'] })))
    expect(await contentOf(await handler.get('k', []))).toBe('content')

    let overtaken = 0
    overtake = async () => {
      overtaken++
      await handler.updateTags(['another'])
    }
    const unavailable = await record('unavailable', async () => {
      expect(await contentOf(await handler.get('k', []))).toBe('content')
    })
    expect(unavailable).toEqual([])
    expect(overtaken).toBeGreaterThan(0)
  },
)
