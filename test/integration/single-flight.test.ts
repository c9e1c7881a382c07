import { AsyncLocalStorage } from 'node:async_hooks'
import { channel } from 'node:diagnostics_channel'
import { EventEmitter } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type {
  CacheHandlerGetContext,
  CacheHandlerValue,
  ResponseValue,
} from '../../runtime/handlers/next-types'
import { STALE_MARK } from '../../runtime/handlers/stale-mark'
import { createKeyNames, type EntryScope, leaseName } from '../../src/key-names'
import type { Driver, Preset } from '../../src/options'
import { localNow } from '../../src/server-time'
import { ON_CLUSTER, type RedisServer, startRedis } from '../support/redis-server'
import {
  contentOf,
  createFleet,
  DRIVERS,
  nextEvent,
  record,
  type Replica,
  useCacheEntry,
} from '../support/replicas'
import { startTcpProxy } from '../support/tcp-proxy'

// Next's server does this before anything of it is loaded.
;(globalThis as { AsyncLocalStorage?: unknown }).AsyncLocalStorage = AsyncLocalStorage
const require = createRequire(__filename)
const folder = 'next/dist/server/app-render'
const { workUnitAsyncStorage } = require(`${folder}/work-unit-async-storage.external.js`) as {
  workUnitAsyncStorage: AsyncLocalStorage<unknown>
}
const within = <T>(type: string, run: () => T): T => workUnitAsyncStorage.run({ type }, run)

/** A request of the App Router: its handlers know it by a copy of its headers. */
function openRequest() {
  const copy = { host: 'shop' }
  const request = {
    headers: { ...copy },
    [Symbol.for('NextInternalRequestMeta')]: { incrementalCache: { requestHeaders: copy } },
  }
  return {
    context: { _requestHeaders: copy },
    answer: (statusCode: number): void =>
      channel('http.server.response.finish').publish({ request, response: { statusCode } }),
  }
}

/** A request for an image, which the one handler of images is not told of. */
function openImageRequest() {
  // Here all replicas live in one process, and listen.
  const response = Object.assign(new EventEmitter().setMaxListeners(0), { writableFinished: false })
  channel('http.server.request.start').publish({ request: { url: '/shop/_next/image?url=a' }, response })
  return {
    answer(): void {
      response.writableFinished = true
      response.emit('close')
    },
  }
}

let redis: RedisServer
const fleet = createFleet()

beforeAll(async () => void (redis = await startRedis()))
afterAll(() => redis.stop())

const FETCH: CacheHandlerGetContext = { kind: 'FETCH', revalidate: 60, tags: ['t'], softTags: [] }
const fetched = (body: string): ResponseValue => ({
  kind: 'FETCH',
  data: { headers: {}, body, url: 'http://127.0.0.1/', status: 200 },
  revalidate: 60,
})

const SOON = { timeout: 10_000, interval: 20 }
const leaseOf = (scope: EntryScope, cacheKey: string) =>
  leaseName(createKeyNames('ndc:test', 'build-1').entry(scope, cacheKey))

const cells = (Object.keys(DRIVERS) as Driver[]).flatMap((driver) =>
  (['strict', 'l1-pubsub'] as Preset[]).map((preset) => ({ driver, preset })),
)

describe.each(cells)('single flight over $driver, $preset', ({ driver, preset }) => {
  let replicas: Replica[]
  let renders = 0

  beforeEach(async () => {
    await redis.command('FLUSHALL')
    renders = 0
    replicas = Array.from({ length: 5 }, () => start())
    await Promise.all(
      replicas.map((replica) =>
        on(replica)
          .get('warm', [])
          .then(() => release(replica)),
      ),
    )
  })
  afterEach(() => fleet.stop())

  function start(waitMs = 5_000): Replica {
    const options = { preset, singleFlight: { leaseMs: 1500, waitMs } }
    return fleet.start({ url: redis.url, driver, options })
  }
  const on = (replica: Replica) => replica.useCacheHandlers.default

  /** The read of 'warm' leads nothing. */
  async function release(replica: Replica): Promise<void> {
    await on(replica).set('warm', Promise.resolve(useCacheEntry('warm', { expire: 0 })))
  }

  /** What Next does: read, and generate when there is nothing to serve. `settled`: generations are over. */
  async function request(replica: Replica, key: string, content: string): Promise<string> {
    const entry = await on(replica).get(key, [])
    if (entry !== undefined) {
      const age = (localNow() - entry.timestamp) / 1000
      if (age > entry.revalidate) await generate(replica, key, content)
      return (await contentOf(entry)) as string
    }
    await generate(replica, key, content)
    return content
  }

  async function generate(replica: Replica, key: string, content: string): Promise<void> {
    renders++
    const entry = useCacheEntry(content, { tags: ['t'] })
    const slow = new Promise((resolve) => setTimeout(resolve, 100)).then(() => entry)
    await on(replica).set(key, slow)
  }

  const everywhere = (key: string, content: string) =>
    Promise.all(replicas.map((replica) => request(replica, key, content)))

  it('a cold key: one render, and everybody gets it', async () => {
    const waited = await record('waited', async () => {
      expect(new Set(await everywhere('k', 'one'))).toEqual(new Set(['one']))
    })
    expect(renders).toBe(1)
    expect(waited.filter(({ outcome }) => outcome === 'served').length).toBe(4)
  })

  it('after a hard invalidation: one render', async () => {
    await everywhere('k', 'one')
    await on(replicas[0] as Replica).updateTags(['t'])
    renders = 0
    const seen = await everywhere('k', 'two')
    // With l1-pubsub the message may still be on its way to the others.
    if (preset === 'strict') expect(new Set(seen)).toEqual(new Set(['two']))
    while (new Set(await everywhere('k', 'two')).has('one'));
    expect(renders).toBe(1)
  })

  it('after a soft invalidation: one render, and nobody waits', async () => {
    await everywhere('k', 'one')
    await on(replicas[0] as Replica).updateTags(['t'], { expire: 3600 })
    renders = 0
    const waited = await record('waited', async () => {
      expect(new Set(await everywhere('k', 'two'))).toEqual(new Set(['one']))
    })
    expect(renders).toBeLessThanOrEqual(1)
    expect(waited).toEqual([])
    for (const replica of replicas) {
      while ((await contentOf(await on(replica).get('k', []))) !== 'two') {
        await request(replica, 'k', 'two')
      }
    }
    expect(renders).toBe(1)
  })

  it('an old entry: one render, and the others serve the old one as fresh for two seconds at most', async () => {
    await on(replicas[0] as Replica).get('k', [])
    const old = useCacheEntry('one', { tags: ['t'], revalidate: 0.05 })
    await on(replicas[0] as Replica).set('k', Promise.resolve(old))
    // Replicas agree on its age to half of a round trip, which may hold a dial.
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    const leader = await on(replicas[1] as Replica).get('k', [])
    expect(leader?.revalidate).toBe(0.05)
    const masked = await on(replicas[2] as Replica).get('k', [])
    expect(await contentOf(masked)).toBe('one')
    expect(masked?.revalidate).toBe(2)
    expect(Math.abs(localNow() - (masked?.timestamp ?? 0))).toBeLessThan(900)
    await generate(replicas[1] as Replica, 'k', 'two')
    expect(await contentOf(await on(replicas[2] as Replica).get('k', []))).toBe('two')
  })

  it('a leader that dies is replaced within two seconds, by one', async () => {
    // What SIGKILL leaves behind: a lease that nobody renews.
    await redis.command('SET', leaseOf('use-cache', 'k'), 'somebody:dead', 'PX', 1500)
    const startedAt = localNow()
    expect(new Set(await everywhere('k', 'one'))).toEqual(new Set(['one']))
    expect(localNow() - startedAt).toBeLessThan(4000)
    expect(renders).toBe(1)
  })

  it('a render that comes to nothing holds the others once, and the key is not waited for again', async () => {
    const [first, second, third] = replicas as [Replica, Replica, Replica]
    await on(first).get('k', [])
    const woken = on(second).get('k', [])
    const gaveUp = nextEvent('lease', ({ role }) => role === 'gave-up')
    await on(first).set('k', Promise.reject(new Error('render failed')))
    await gaveUp
    expect(await woken).toBeUndefined()
    const waited = await record('waited', async () => {
      await on(third).get('k', [])
      await on(second).get('k', [])
    })
    expect(waited).toEqual([])
    // Once it is stored after all, it is worth waiting for again.
    await generate(third, 'k', 'one')
    expect(await contentOf(await on(second).get('k', []))).toBe('one')
    expect(await redis.command('EXISTS', leaseOf('use-cache', 'k'))).toBe(0)
  })

  it('of what is read together each has its own leader, and what is there has none', async () => {
    const [first, second] = replicas as [Replica, Replica]
    await request(first, 'there', 'one')
    const leases = await record('lease', async () => {
      const keys = ['a', 'there', 'b']
      const found = await Promise.all(keys.map((key) => on(second).get(key, [])))
      expect(await Promise.all(found.map(contentOf))).toEqual([undefined, 'one', undefined])
    })
    expect(leases.map(({ role }) => role)).toEqual(['leader', 'leader'])
    const held = await Promise.all(
      ['a', 'there', 'b'].map((key) => redis.command('EXISTS', leaseOf('use-cache', key))),
    )
    expect(held).toEqual([1, 0, 1])
  })

  it('whoever generates renews all its leases, also on a server that has forgotten the scripts', async () => {
    const options = { preset, singleFlight: { leaseMs: 3_000, waitMs: 60_000 } }
    const replica = fleet.start({ url: redis.url, driver, options })
    await Promise.all(['a', 'b'].map((key) => on(replica).get(key, [])))
    for (const forgets of [false, true]) {
      if (forgets) await redis.command('SCRIPT', 'FLUSH')
      // A renewal is what shortens them.
      for (const key of ['a', 'b']) await redis.command('PEXPIRE', leaseOf('use-cache', key), 60_000)
      for (const key of ['a', 'b'])
        await expect
          .poll(() => redis.command('PTTL', leaseOf('use-cache', key)), SOON)
          .toBeLessThanOrEqual(3_000)
    }
    expect(await redis.command('EXISTS', leaseOf('use-cache', 'a'))).toBe(1)
    expect(await redis.command('EXISTS', leaseOf('use-cache', 'b'))).toBe(1)
  })

  it.skipIf(ON_CLUSTER)('a claim whose reply is lost holds nobody', async () => {
    const proxy = await startTcpProxy(redis.port)
    try {
      const options = {
        preset,
        singleFlight: { leaseMs: 60_000, waitMs: 60_000 },
        timeouts: { connectMs: 2000, commandMs: 1000, requestBudgetMs: 1000 },
      }
      const replica = fleet.start({ url: proxy.url, driver, options })
      await on(replica).get('warm', [])
      const held = () => redis.command('EXISTS', leaseOf('use-cache', 'k'))
      const soon = { timeout: 10_000, interval: 5 }
      // Redis is asked at once, and its answers come when nobody waits for them any more.
      proxy.delay(5_000)
      const read = on(replica).get('k', [])
      await expect.poll(held, soon).toBe(1)
      expect(await read).toBeUndefined()
      await expect.poll(held, soon).toBe(0)
    } finally {
      await fleet.stop()
      await proxy.close()
    }
  })

  it('a read that no render follows holds the others for waitMs at most', async () => {
    const prefetch = start(400)
    const other = start(400)
    await on(prefetch).get('k', [])
    const startedAt = localNow()
    expect(await on(other).get('k', [])).toBeUndefined()
    expect(localNow() - startedAt).toBeLessThan(3000)
    const again = localNow()
    expect(await on(start(400)).get('k', [])).toBeUndefined()
    expect(localNow() - again).toBeLessThan(3000)
  })

  it('fetch: concurrent requests of one process share a fetch, too', async () => {
    const get = async (replica: Replica): Promise<string> => {
      const handler = new replica.CacheHandler({})
      const found = await handler.get('f', FETCH)
      if (found !== null) return (found.value as { data: { body: string } }).data.body
      renders++
      await new Promise((resolve) => setTimeout(resolve, 100))
      await handler.set('f', fetched('one'), { fetchCache: true, tags: ['t'] })
      return 'one'
    }
    const all = replicas.flatMap((replica) => Array.from({ length: 10 }, () => get(replica)))
    expect(new Set(await Promise.all(all))).toEqual(new Set(['one']))
    expect(renders).toBe(1)
  })

  it('a fetch is masked only for a consumer that is a request: elsewhere the true verdict', async () => {
    const [first, second] = replicas as [Replica, Replica]
    const handler = new first.CacheHandler({})
    await handler.get('f', FETCH)
    await handler.set('f', fetched('one'), { fetchCache: true, tags: ['t'] })
    await on(first).updateTags(['t'], { expire: 3600 })
    await new first.CacheHandler({}).get('f', FETCH)
    const follower = await new second.CacheHandler({}).get('f', FETCH)
    expect((localNow() - (follower?.lastModified ?? 0)) / 1000).toBeGreaterThan(60)
  })

  it('a prefetch of an old page leaves the refresh to the visit that follows, on whichever replica', async () => {
    const [first, second, third] = replicas as [Replica, Replica, Replica]
    const context: CacheHandlerGetContext = { kind: 'APP_PAGE', isRoutePPREnabled: false, isFallback: false }
    const handler = new first.CacheHandler({})
    await handler.get('/page', context)
    const page = {
      kind: 'APP_PAGE',
      html: 'one',
      status: 200,
      headers: { 'x-next-cache-tags': 't' },
    } as const
    await handler.set('/page', page, { ...context, cacheControl: { revalidate: 60 } })
    await on(first).updateTags(['t'], { expire: 3600 })
    const prefetch = new second.CacheHandler({ _requestHeaders: { rsc: '1', 'next-router-prefetch': '1' } })
    const leases = await record('lease', async () => {
      // With l1-pubsub the message may still be on its way.
      const reads = await record('read', async () => {
        while (!isMarkedStale(await prefetch.get('/page', context)));
      })
      expect(reads.at(-1)).toMatchObject({ verdict: 'stale', masked: false })
      const visit = await record('read', () => new third.CacheHandler({}).get('/page', context))
      expect(visit).toMatchObject([{ verdict: 'stale', masked: false }])
    })
    expect(leases.map(({ role }) => role)).toEqual(['leader'])
  })

  it('a fetch that Next does not store holds nobody once its request is answered', async () => {
    const [first, second, third] = [start(60_000), start(60_000), start(60_000)]
    const { context, answer } = openRequest()
    await redis.resetCommandStats()
    const outcomes = await record('waited', async () => {
      await within('request', () => new first.CacheHandler(context).get('gone', FETCH))
      const waiting = [
        within('request', () => new second.CacheHandler({}).get('gone', FETCH)),
        within('cache', () => new third.CacheHandler({}).get('gone', FETCH)),
      ]
      // Each claims with its read, and once more when it listens.
      await expect.poll(async () => (await redis.commandStats())['evalsha'], SOON).toBeGreaterThan(4)
      answer(200)
      expect(await Promise.all(waiting)).toEqual([null, null])
    })
    // Both may generate at once: what one of them gets, which nobody stores, does not help the other.
    expect(outcomes.filter(({ outcome }) => outcome !== 'led')).toEqual([])
    const leases = await record('lease', () =>
      within('request', () => new first.CacheHandler({}).get('gone', FETCH)),
    )
    expect(leases).toEqual([])
  })

  it('a fetch that is on its way to the store when its request is answered is waited for', async () => {
    const [first, second] = replicas as [Replica, Replica]
    const { context, answer } = openRequest()
    const handler = new first.CacheHandler(context)
    const leases = await record('lease', async () => {
      await within('request', () => handler.get('f', FETCH))
      const other = new second.CacheHandler({}).get('f', FETCH)
      const write = handler.set('f', fetched('one'), { fetchCache: true, tags: ['t'] })
      answer(200)
      await write
      expect((await other)?.value).toMatchObject({ data: { body: 'one' } })
    })
    expect(leases.map(({ role }) => role)).toEqual(['leader'])
  })

  it.each(['APP_PAGE', 'APP_ROUTE', 'PAGES'] as const)(
    'a render of %s that fails holds nobody',
    async (kind) => {
      const [first, second] = [start(60_000), start(60_000)]
      const page: CacheHandlerGetContext = { kind, isRoutePPREnabled: false, isFallback: false }
      const { context, answer } = openRequest()
      await new first.CacheHandler(context).get('/page', page)
      // That of another request.
      await new first.CacheHandler({ _requestHeaders: {} }).get('/other', page)
      const waiting = new second.CacheHandler({}).get('/page', page)
      answer(500)
      expect(await waiting).toBeNull()
      expect(await redis.command('GET', leaseOf('response', '/page'))).toBe('-')
      expect(await redis.command('GET', leaseOf('response', '/other'))).toMatch(/:/)
    },
  )

  it('an image that cannot be made holds nobody once the requests of that time are answered', async () => {
    const [first, second] = [start(60_000), start(60_000)]
    const image: CacheHandlerGetContext = { kind: 'IMAGE', isFallback: false }
    const handler = new first.CacheHandler({ _requestHeaders: {} })
    const requests = [openImageRequest(), openImageRequest()]
    await handler.get('broken', image)
    const later = openImageRequest()
    await handler.get('other', image)
    const waiting = new second.CacheHandler({ _requestHeaders: {} }).get('broken', image)
    requests[1]?.answer()
    expect(await redis.command('GET', leaseOf('image', 'broken'))).toMatch(/:/)
    requests[0]?.answer()
    expect(await waiting).toBeNull()
    expect(await redis.command('GET', leaseOf('image', 'broken'))).toBe('-')
    expect(await redis.command('GET', leaseOf('image', 'other'))).toMatch(/:/)
    later.answer()
    await expect.poll(() => redis.command('GET', leaseOf('image', 'other')), SOON).toBe('-')
  })

  it('what is generated behind an answer is waited for', async () => {
    const [first, second] = replicas as [Replica, Replica]
    const page: CacheHandlerGetContext = { kind: 'APP_PAGE', isRoutePPREnabled: false, isFallback: false }
    const { context, answer } = openRequest()
    const handler = new first.CacheHandler(context)
    await handler.get('/page', page)
    answer(200)
    const other = new second.CacheHandler({}).get('/page', page)
    const value = { kind: 'APP_PAGE', html: 'one', status: 200, headers: {} } as const
    await handler.set('/page', value, { ...page, cacheControl: { revalidate: 60 } })
    expect((await other)?.value).toMatchObject({ html: 'one' })
  })

  it('who is answered with the fallback of the Pages Router holds nobody who asks for the page', async () => {
    const [first, second, third] = replicas as [Replica, Replica, Replica]
    const context: CacheHandlerGetContext = { kind: 'PAGES', isRoutePPREnabled: false, isFallback: false }
    const documentRequest = { host: 'shop' }
    const leases = await record('lease', async () => {
      await new first.CacheHandler({ _requestHeaders: documentRequest }).get('/page', context)
      const data = new second.CacheHandler({ _requestHeaders: {} })
      const waiting = data.get('/page', context)
      channel('http.server.response.finish').publish({
        request: { headers: documentRequest },
        response: { statusCode: 200 },
      })
      expect(await waiting).toBeNull()
      // Another answer to the same request changes nothing, and the data is rendered once.
      const other = new third.CacheHandler({ _requestHeaders: documentRequest }).get('/page', context)
      const page = { kind: 'PAGES', html: 'one', pageData: {}, status: 200 } as const
      await data.set('/page', page, { ...context, cacheControl: { revalidate: 60 } })
      expect((await other)?.value).toMatchObject({ html: 'one' })
    })
    expect(leases.map(({ role }) => role)).toEqual(['leader', 'leader'])
  })

  it.each([false, true])('a visit that was answered with a shell, partialPrefetching %s', async (isOn) => {
    const [first, second] = replicas as [Replica, Replica]
    const distDir = await mkdtemp(join(tmpdir(), 'ndc-shell-'))
    const serverDistDir = join(distDir, 'server')
    const configuration = JSON.stringify({ config: { partialPrefetching: isOn } })
    await writeFile(join(distDir, 'required-server-files.json'), configuration)
    const page: CacheHandlerGetContext = { kind: 'APP_PAGE', isRoutePPREnabled: true, isFallback: false }
    const visit = () => new first.CacheHandler({ serverDistDir, _requestHeaders: { host: 'shop' } })
    const wasGivenBack = async (path: string): Promise<boolean> => {
      const handler = visit()
      await handler.get(path, page)
      const before = await redis.command('EXISTS', leaseOf('response', path))
      await handler.get('/[id]', { ...page, isFallback: true })
      expect(before).toBe(1)
      await redis.command('PING')
      return (await redis.command('EXISTS', leaseOf('response', path))) === 0
    }
    try {
      if (isOn) {
        // Next completes the shell beside: whoever comes meanwhile gets what it makes.
        for (let visits = 0; visits < 20; visits++) expect(await wasGivenBack(`/${visits}`)).toBe(false)
        return
      }
      let visits = 0
      await expect.poll(() => wasGivenBack(`/${++visits}`), SOON).toBe(true)
      const waited = await record('waited', async () => {
        await new second.CacheHandler({ _requestHeaders: {} }).get(`/${visits}`, page)
      })
      expect(waited).toEqual([])
    } finally {
      await rm(distDir, { recursive: true })
    }
  })

  it('a navigation to a page that nobody rendered yet makes no visitor of another replica wait for it', async () => {
    const [first, second] = replicas as [Replica, Replica]
    const context: CacheHandlerGetContext = { kind: 'APP_PAGE', isRoutePPREnabled: true, isFallback: false }
    const leases = await record('lease', async () => {
      expect(await new first.CacheHandler({ _requestHeaders: { rsc: '1' } }).get('/page', context)).toBeNull()
      expect(await new second.CacheHandler({ _requestHeaders: {} }).get('/page', context)).toBeNull()
      // Nor does it wait itself.
      expect(await new first.CacheHandler({ _requestHeaders: { rsc: '1' } }).get('/page', context)).toBeNull()
    })
    expect(leases.map(({ role }) => role)).toEqual(['leader'])
  })
})

function isMarkedStale(answer: CacheHandlerValue | null): boolean {
  return JSON.stringify(answer?.value).includes(STALE_MARK)
}
