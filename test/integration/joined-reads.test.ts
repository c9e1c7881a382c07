import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { CacheHandlerGetContext, ResponseValue } from '../../runtime/handlers/next-types'
import type { Driver } from '../../src/options'
import { type RedisServer, startRedis } from '../support/redis-server'
import { createFleet, DRIVERS, record, type Replica } from '../support/replicas'

// The response cache of the installed Next in front of pages out of local memory: whom it joins.
const { default: ResponseCache } = require('next/dist/server/response-cache') as {
  default: new (options: object) => NextResponseCache
}

interface NextResponseCache {
  get(key: string, generate: () => Promise<null>, context: object): Promise<{ value: unknown } | null>
}

const APP_ROUTE = { kind: 'APP_ROUTE', isFallback: false } as const
const LIFE = { revalidate: 60, expire: 3600 }
const PATIENCE = { timeout: 20_000, interval: 20 }
const VISITORS = 16

const answerOf = (text: string): ResponseValue => ({
  kind: 'APP_ROUTE',
  body: Buffer.from(text),
  headers: { 'x-next-cache-tags': 't' },
  status: 200,
})

const nextTurn = () => new Promise<void>((resolve) => void setImmediate(resolve))

let redis: RedisServer
const fleet = createFleet()
beforeAll(async () => void (redis = await startRedis()))
afterAll(() => redis.stop())

describe.each(Object.keys(DRIVERS) as Driver[])('requests that arrive together, over %s', (driver) => {
  let replica: Replica

  beforeEach(async () => {
    await redis.command('FLUSHALL')
    replica = fleet.start({ url: redis.url, driver, options: { preset: 'l1-pubsub' } })
    for (const key of keys) {
      const handler = new replica.CacheHandler({})
      await handler.get(key, APP_ROUTE)
      await handler.set(key, answerOf(key), { ...APP_ROUTE, cacheControl: LIFE })
      await expect.poll(() => tierOf(key), PATIENCE).toBe('local')
    }
    await nextTurn()
  })
  afterEach(() => fleet.stop())

  const keys = Array.from({ length: VISITORS }, (_, index) => `/page-${index}`)
  const read = (key: string, context: CacheHandlerGetContext = APP_ROUTE) =>
    new replica.CacheHandler({}).get(key, context)
  const tierOf = async (key: string) => (await record('read', () => read(key)))[0]?.tier

  /** Each is looked at when nothing of the one before is left to do, and all in one turn. */
  function visitTogether(wanted: readonly string[]): Promise<unknown[]> {
    const responses = new ResponseCache({
      minimalMode: false,
      route: { kind: 'APP_ROUTE', sourceRoute: '/[page]' },
    })
    const context = { incrementalCache: { get: read } }
    const answer = async (key: string) =>
      (await responses.get(key, () => Promise.resolve(null), context))?.value
    const visits = wanted.map(
      (key) =>
        new Promise((resolve, reject) => void setImmediate(() => void answer(key).then(resolve, reject))),
    )
    return Promise.all(visits)
  }

  it('one page: the first is answered at once, and one read is for all the others', async () => {
    const page = keys[0]!
    let answers: unknown[] = []
    const reads = await record(
      'read',
      async () => (answers = await visitTogether(Array.from({ length: VISITORS }, () => page))),
    )
    expect(answers).toEqual(Array.from({ length: VISITORS }, () => answerOf(page)))
    expect(reads.map(({ tier }) => tier)).toEqual(['local', 'local'])
  })

  it('as many pages: each is read', async () => {
    let answers: unknown[] = []
    const reads = await record('read', async () => (answers = await visitTogether(keys)))
    expect(answers).toEqual(keys.map(answerOf))
    expect(reads).toHaveLength(VISITORS)
  })

  it('what waits is judged when it is answered: nothing invalidated meanwhile is served', async () => {
    const page = keys[0]!
    let endTurn = () => {}
    vi.stubGlobal('setImmediate', (ended: () => void) => void (endTurn = ended))
    const first = read(page)
    vi.unstubAllGlobals()
    const waiting = [read(page), read(page)]
    expect((await first)?.value).toEqual(answerOf(page))
    await new replica.CacheHandler({}).revalidateTag('t')
    endTurn()
    expect(await Promise.all(waiting)).toEqual([null, null])
  })
})
