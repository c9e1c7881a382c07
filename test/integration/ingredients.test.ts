import { AsyncLocalStorage } from 'node:async_hooks'
import { createRequire } from 'node:module'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ResponseValue, UseCacheEntry } from '../../runtime/handlers/next-types'
import type { Driver } from '../../src/options'
import { localNow } from '../../src/server-time'
import { type RedisServer, startRedis } from '../support/redis-server'
import { contentOf, createFleet, DRIVERS, isStale, type Replica, useCacheEntry } from '../support/replicas'

// Next's server does this before anything of it is loaded.
;(globalThis as { AsyncLocalStorage?: unknown }).AsyncLocalStorage = AsyncLocalStorage
const require = createRequire(__filename)
const folder = 'next/dist/server/app-render'
const { workUnitAsyncStorage } = require(`${folder}/work-unit-async-storage.external.js`) as {
  workUnitAsyncStorage: AsyncLocalStorage<unknown>
}
const { workAsyncStorage } = require(`${folder}/work-async-storage.external.js`) as {
  workAsyncStorage: AsyncLocalStorage<unknown>
}
/** A request of its own, in which a unit of this type reads or generates. */
const within = <T>(type: string, run: () => T, requestStartTime = localNow()): T =>
  workAsyncStorage.run({ requestStartTime }, () => workUnitAsyncStorage.run({ type }, run))

let redis: RedisServer
const fleet = createFleet()

beforeAll(async () => void (redis = await startRedis()))
afterAll(() => redis.stop())

// An inner function `g` with the tag `g`; an outer `f` that contains it, with a cacheLife of its own, and its tag too.
describe.each(Object.keys(DRIVERS) as Driver[])(
  'old content as a part of something new, over %s',
  (driver) => {
    let a: Replica
    let b: Replica

    beforeEach(async () => {
      await redis.command('FLUSHALL')
      const options = { singleFlight: { leaseMs: 1500, waitMs: 5_000 } }
      a = fleet.start({ url: redis.url, driver, options })
      b = fleet.start({ url: redis.url, driver, options })
      for (const replica of [a, b]) await store(replica, 'warm', useCacheEntry('warm', { expire: 0 }))
    })
    afterEach(() => fleet.stop())

    const on = (replica: Replica) => replica.useCacheHandlers.default
    const entry = (content: string, tags: string[], more: Partial<UseCacheEntry> = {}) =>
      useCacheEntry(content, { tags, ...more })

    async function store(replica: Replica, key: string, value: UseCacheEntry): Promise<void> {
      await on(replica).get(key, [])
      await on(replica).set(key, Promise.resolve(value))
    }

    /** `g` is stale and `a` refreshes it; what a request on `b` is given meanwhile. */
    async function maskedOnB(): Promise<UseCacheEntry> {
      await store(a, 'g', entry('old', ['g']))
      await on(a).updateTags(['g'], { expire: 3600 })
      await on(a).get('g', [])
      const masked = await within('request', () => on(b).get('g', []))
      expect(masked?.revalidate).toBe(2)
      return masked as UseCacheEntry
    }

    it('a mask is for a request: what will be stored waits for the new content', async () => {
      await maskedOnB()
      const waiting = within('cache', () => on(b).get('g', []))
      await on(a).set('g', Promise.resolve(entry('new', ['g'])))
      expect(await contentOf(await waiting)).toBe('new')
    })

    it('no mask hides from a server action what it invalidated itself and Next has not announced', async () => {
      await maskedOnB()
      const store = { requestStartTime: localNow(), pendingRevalidatedTags: [{ tag: 'g' }] }
      const read = await workAsyncStorage.run(store, () =>
        workUnitAsyncStorage.run({ type: 'request' }, () => on(b).get('g', [])),
      )
      expect(isStale(read)).toBe(true)
    })

    it('what will be stored is never given stale content', async () => {
      await store(a, 'g', entry('old', ['g']))
      await on(a).updateTags(['g'], { expire: 3600 })
      expect(await within('cache', () => on(a).get('g', []))).toBeUndefined()
    })

    it('a function that was given masked content by Next is stale itself', async () => {
      const { tags } = await maskedOnB()
      await store(b, 'f', entry('made of old', ['f', ...tags]))
      const found = await within('request', () => on(b).get('f', []))
      expect(isStale(found)).toBe(true)
      // The mark is none of the entry's tags.
      await store(b, 'f', entry('made of new', ['f', 'g']))
      expect((await on(b).get('f', []))?.tags).toEqual(['f', 'g'])
    })

    it('a page that was given masked content is stale, and keeps no mark', async () => {
      const { tags } = await maskedOnB()
      const headers = { 'x-next-cache-tags': ['p', ...tags].join(',') }
      const page: ResponseValue = { kind: 'APP_PAGE', html: 'made of old', headers, status: 200 }
      const handler = new b.CacheHandler({})
      await handler.get('/p', { kind: 'APP_PAGE' })
      await handler.set('/p', page, { cacheControl: { revalidate: false } })
      const found = await new b.CacheHandler({}).get('/p', { kind: 'APP_PAGE' })
      expect(found?.value).toMatchObject({ headers: { 'x-next-cache-tags': 'p,g,_ndc_stale' } })
    })

    it('a generation that began before an invalidation makes what joined it as old', async () => {
      await on(a).get('g', [])
      const inner = entry('old', ['g'])
      await on(b).updateTags(['g'])
      // `f` reads, and so knows of the invalidation; then Next gives it what `g` was about to be.
      expect(await on(a).get('f', [])).toBeUndefined()
      const outer = entry('made of old', ['f', 'g'])
      await Promise.all([on(a).set('g', Promise.resolve(inner)), on(a).set('f', Promise.resolve(outer))])
      expect(await on(a).get('g', [])).toBeUndefined()
      expect(await on(a).get('f', [])).toBeUndefined()
      // What does not carry its tag did not contain it.
      expect(await on(a).get('h', [])).toBeUndefined()
      const other = entry('other', ['h'])
      await Promise.all([on(a).set('g', Promise.resolve(inner)), on(a).set('h', Promise.resolve(other))])
      expect(await contentOf(await on(a).get('h', []))).toBe('other')
    })

    it('what a request generates is as old as what it read before', async () => {
      await store(a, 'g', entry('old', ['g']))
      await workAsyncStorage.run({ requestStartTime: localNow() }, async () => {
        expect(await contentOf(await on(a).get('g', []))).toBe('old')
        await on(b).updateTags(['g'])
        // Next kept `g` for the rest of the request, and does not ask again.
        expect(await on(a).get('f', [])).toBeUndefined()
        await on(a).set('f', Promise.resolve(entry('made of old', ['f', 'g'])))
      })
      expect(await on(a).get('f', [])).toBeUndefined()
    })
  },
)
