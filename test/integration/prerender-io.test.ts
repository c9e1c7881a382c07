import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Driver } from '../../src/options'
import { type RedisServer, startRedis } from '../support/redis-server'
import { CHANNEL_PREFIX } from '../../runtime/telemetry'
import { createFleet, DRIVERS, type Replica, useCacheEntry } from '../support/replicas'

// As in a server of Next.js: there are asynchronous contexts, and whatever asks for time or chance within a prerender aborts it.
Object.assign(globalThis, { AsyncLocalStorage })
for (const extension of ['random', 'date', 'web-crypto', 'node-crypto'])
  require(`next/dist/server/node-environment-extensions/${extension}`)

interface Storage {
  run<T>(store: object, work: () => T): T
}
const { workUnitAsyncStorage } = require('next/dist/server/app-render/work-unit-async-storage.external') as {
  workUnitAsyncStorage: Storage
}
const { workAsyncStorage } = require('next/dist/server/app-render/work-async-storage.external') as {
  workAsyncStorage: Storage
}

/** Runs work as a part of a prerender; returns why Next gave the prerender up, if it did. */
async function inPrerender(work: () => Promise<unknown>): Promise<unknown> {
  const controller = new AbortController()
  const unit = { type: 'prerender', controller, dynamicTracking: null, renderSignal: controller.signal }
  await workUnitAsyncStorage.run(unit, () => workAsyncStorage.run({ route: '/x' }, work))
  return controller.signal.reason
}

const PAGE = { kind: 'APP_PAGE', isFallback: false, isRoutePPREnabled: false } as const

let redis: RedisServer
const fleet = createFleet()
beforeAll(async () => void (redis = await startRedis()))
afterEach(() => fleet.stop())
afterAll(() => redis.stop())

it('the prerender of this test notices', async () => {
  expect(await inPrerender(async () => Math.random())).toBeInstanceOf(Error)
})

describe.each(Object.keys(DRIVERS) as Driver[])('what we do within a prerender, over %s', (driver) => {
  const start = (): Replica => fleet.start({ url: redis.url, driver })

  it('use cache: cold, stored, found, invalidated', async () => {
    const { useCacheHandlers } = start()
    const handler = useCacheHandlers.default
    const reason = await inPrerender(async () => {
      await handler.refreshTags()
      expect(await handler.get('k', ['soft'])).toBeUndefined()
      await handler.set('k', Promise.resolve(useCacheEntry('content', { tags: ['t'] })))
      await handler.getExpiration(['soft'])
      expect(await handler.get('k', ['soft'])).toBeDefined()
      await handler.updateTags(['t'])
      expect(await handler.get('k', ['soft'])).toBeUndefined()
    })
    expect(reason).toBeUndefined()
  })

  it('what local memory answers at once, and whoever listens', async () => {
    const { useCacheHandlers } = fleet.start({ url: redis.url, driver, options: { preset: 'l1-pubsub' } })
    const handler = useCacheHandlers.default
    await handler.get('local', ['soft'])
    await handler.set('local', Promise.resolve(useCacheEntry('content')))
    const heard: string[] = []
    const listener = (message: unknown) => {
      heard.push(`${(message as { tier: string }).tier} ${Math.random() < 2}`)
    }
    subscribe(CHANNEL_PREFIX + 'read', listener)
    const isLocal = () => heard.at(-1) === 'local true'
    const reason = await inPrerender(async () => {
      for (let turn = 0; turn < 1_000 && !isLocal(); turn++) {
        expect(await handler.get('local', ['soft'])).toBeDefined()
        if (!isLocal()) await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }).finally(() => unsubscribe(CHANNEL_PREFIX + 'read', listener))
    expect(isLocal()).toBe(true)
    expect(reason).toBeUndefined()
  })

  it('responses: cold, stored, found, invalidated', async () => {
    const { CacheHandler } = start()
    const reason = await inPrerender(async () => {
      const handler = new CacheHandler({} as never)
      expect(await handler.get('/x', PAGE)).toBeNull()
      const headers = { 'x-next-cache-tags': 't' }
      const cacheControl = { revalidate: 60, expire: 3600 }
      await handler.set(
        '/x',
        { kind: 'APP_PAGE', html: 'x', headers, status: 200 },
        { ...PAGE, cacheControl },
      )
      expect(await handler.get('/x', PAGE)).not.toBeNull()
      await handler.revalidateTag('t')
      expect(await handler.get('/x', PAGE)).toBeNull()
    })
    expect(reason).toBeUndefined()
  })
})
