import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BUILD_CLOCK_MARGIN_MS } from '../../runtime/cache/build-tier'
import type { CacheHandler, CacheHandlerGetContext, ResponseValue } from '../../runtime/handlers/next-types'
import { STALE_MARK, TAGS_HEADER } from '../../runtime/handlers/stale-mark'
import { createKeyNames } from '../../src/key-names'
import type { Driver } from '../../src/options'
import { type BuildFixture, createBuildFixture } from '../support/build-fixture'
import { ON_CLUSTER, type RedisServer, startRedis } from '../support/redis-server'
import { createFleet, DRIVERS, nextEvent, record, type Replica } from '../support/replicas'
import { startTcpProxy } from '../support/tcp-proxy'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const KEY = '/a'
const PAGE: CacheHandlerGetContext = { kind: 'APP_PAGE', isFallback: false, isRoutePPREnabled: false }

let redis: RedisServer
const fleet = createFleet()

beforeAll(async () => void (redis = await startRedis()))
afterAll(() => redis.stop())

describe.each(Object.keys(DRIVERS) as Driver[])('the build output below Redis, over %s', (driver) => {
  let build: BuildFixture
  let startedAt: number

  beforeEach(async () => {
    await redis.command('FLUSHALL')
    startedAt = Date.now() - HOUR
    build = createBuildFixture('path', startedAt + MINUTE)
    build.page(KEY, 't,u', { revalidate: 2 * 3600, expire: 24 * 3600 })
  })
  afterEach(async () => {
    await fleet.stop()
    build.remove()
  })

  const names = createKeyNames('ndc:test', 'build-1')
  const entryName = names.entry('response', KEY)
  const stored = async () => (await redis.command('EXISTS', entryName)) === 1
  const micros = (ms: number) => String(Math.round(ms * 1000))

  /** The state that a fleet left, which was set up so long ago and invalidated nothing since. */
  async function stateFrom(ageMs: number): Promise<void> {
    const clock = micros(Date.now() - ageMs)
    const fields = ['clock', clock, 'floor', clock, 'incarnation', 'i', 'alive', micros(Date.now())]
    await redis.command('HSET', names.tags, ...fields)
  }
  /** A hard invalidation that an earlier deployment acknowledged. */
  async function invalidatedBefore(ageMs: number, tag = 't', soft = ''): Promise<void> {
    const clock = micros(Date.now() - ageMs)
    await redis.command(
      'HSET',
      names.tags,
      'clock',
      clock,
      `:${tag}`,
      soft === '' ? clock : `0 ${clock} ${soft}`,
    )
  }

  const start = (more: object = {}): Replica =>
    fleet.start({ url: redis.url, driver, buildStartedAt: startedAt, ...more })
  /** Next makes a new instance for every request. */
  const request = (replica: Replica): CacheHandler =>
    new replica.CacheHandler({ serverDistDir: build.serverDistDir })
  const get = (replica: Replica, context = PAGE) => request(replica).get(KEY, context)
  const isStale = (value: ResponseValue | null | undefined) =>
    value?.kind === 'APP_PAGE' && String(value.headers?.[TAGS_HEADER]).includes(STALE_MARK)
  const rendered = (html: string): ResponseValue => ({
    kind: 'APP_PAGE',
    html,
    headers: { [TAGS_HEADER]: 't,u' },
    status: 200,
  })
  const set = (handler: CacheHandler, value: ResponseValue, revalidate = 7200) =>
    handler.set(KEY, value, { ...PAGE, cacheControl: { revalidate, expire: 86_400 } })

  it('a state that is older than the build: a hit, which the others have from Redis', async () => {
    await stateFrom(2 * HOUR)
    const [a, b] = [start(), start()]
    const written = nextEvent('write')
    const reads = await record('read', async () => {
      const read = await get(a)
      expect(read?.value).toMatchObject({ html: '<html>/a', rscData: Buffer.from('rsc of /a') })
      expect(isStale(read?.value)).toBe(false)
      expect(read?.lastModified).toBeCloseTo(startedAt + MINUTE, -2)
      expect(read?.cacheControl).toEqual({ revalidate: 7200, expire: 86_400 })
      expect((await written).outcome).toBe('stored')
      build.remove()
      expect((await get(b))?.value).toEqual(read?.value)
      expect((await get(a))?.value).toEqual(read?.value)
    })
    expect(reads.map(({ tier, verdict }) => [tier, verdict])).toEqual([
      ['build', 'fresh'],
      ['store', 'fresh'],
      ['store', 'fresh'],
    ])
    expect(await redis.command('PTTL', entryName)).toBeGreaterThan(22 * HOUR)
  })

  it('an empty Redis: stale, for one replica to refresh; the others are not told, and nothing is stored', async () => {
    const singleFlight = { leaseMs: 1500, waitMs: 5000 }
    const replicas = [1, 2, 3].map(() => start({ options: { singleFlight } }))
    const requests = replicas.map(request)
    const reads = await Promise.all(requests.map((handler) => handler.get(KEY, PAGE)))
    expect(reads.map((read) => (read?.value as { html?: string } | null)?.html)).toEqual(
      Array(3).fill('<html>/a'),
    )
    const stale = reads.map((read) => isStale(read?.value))
    expect(stale.filter(Boolean)).toHaveLength(1)
    expect(reads.filter((read) => read?.cacheControl?.revalidate === 2)).toHaveLength(2)
    expect(await stored()).toBe(false)
    await set(requests[stale.indexOf(true)]!, rendered('new'))
    for (const replica of replicas) expect((await get(replica))?.value).toMatchObject({ html: 'new' })
  })

  it.each([
    ['after the build began', HOUR - MINUTE, null],
    ['within the margin before it', HOUR + BUILD_CLOCK_MARGIN_MS - MINUTE, null],
    ['before that', HOUR + BUILD_CLOCK_MARGIN_MS + MINUTE, '<html>/a'],
  ])('a tag invalidated by the previous deployment %s', async (_when, ageMs, html) => {
    await stateFrom(2 * HOUR)
    await invalidatedBefore(ageMs)
    const read = await get(start())
    expect(read === null ? null : (read.value as { html: string }).html).toBe(html)
    expect(isStale(read?.value)).toBe(false)
  })

  it('an invalidation of another deployment holds here, for those that run and those that start', async () => {
    await stateFrom(2 * HOUR)
    const [a, old] = [start(), start({ namespace: 'build-0' })]
    const written = nextEvent('write')
    expect(await get(a)).not.toBeNull()
    await written
    await old.invalidate(['u'])
    expect(await get(a)).toBeNull()
    await redis.command('DEL', entryName)
    expect(await get(a)).toBeNull()
    expect(await get(start())).toBeNull()
    expect(await stored()).toBe(false)
  })

  it('a tag whose window is open: stale; after its end: nothing', async () => {
    await stateFrom(2 * HOUR)
    await invalidatedBefore(MINUTE, 't', micros(Date.now() + HOUR))
    expect(isStale((await get(start()))?.value)).toBe(true)
    expect(await stored()).toBe(false)
    await invalidatedBefore(MINUTE, 't', micros(Date.now() - 1000))
    expect(await get(start())).toBeNull()
  })

  it('never replaces what was rendered, though its fence may be newer', async () => {
    await stateFrom(2 * HOUR)
    const [a, b] = [start(), start({ buildStartedAt: undefined })]
    const render = request(b)
    // Knows the clock of two hours ago.
    expect(await render.get(KEY, PAGE)).toBeNull()
    await a.invalidate(['something else'])
    // A named pipe holds the reader until somebody writes.
    const gate = join(build.serverDistDir, 'app/a.html')
    rmSync(gate)
    execFileSync('mkfifo', [gate])
    const written = nextEvent('write', ({ key, outcome }) => key === entryName && outcome === 'superseded')
    const reading = get(a)
    const body = await open(gate, 'w')
    await set(render, rendered('rendered'))
    await body.write('from the build')
    await body.close()
    expect((await reading)?.value).toMatchObject({ html: 'from the build' })
    await written
    expect((await get(a))?.value).toMatchObject({ html: 'rendered' })
    expect((await get(b))?.value).toMatchObject({ html: 'rendered' })
  })

  it('a replica that has seen something newer does not come back to it', async () => {
    await stateFrom(2 * HOUR)
    const [a, b] = [start(), start({ buildStartedAt: undefined })]
    const render = request(b)
    await render.get(KEY, PAGE)
    await set(render, rendered('rendered'))
    expect((await get(a))?.value).toMatchObject({ html: 'rendered' })
    await redis.command('DEL', entryName)
    expect(await get(a)).toBeNull()
  })

  it('a state lost while a replica lives may have forbidden it: only one that starts then serves it, stale', async () => {
    await stateFrom(2 * HOUR)
    const a = start()
    await a.invalidate(['t'])
    expect(await get(a)).toBeNull()
    const other = start()
    expect(await other.useCacheHandlers.default.get('anything', [])).toBeUndefined()
    await redis.command('FLUSHALL')
    expect(await get(a)).toBeNull()
    expect(await get(other)).toBeNull()
    expect(isStale((await get(start()))?.value)).toBe(true)
  })

  it('a refresh that failed: the page stays, and nobody tries again before its time', async () => {
    const [a, b] = [start(), start()]
    const handler = request(a)
    const read = await handler.get(KEY, PAGE)
    expect(isStale(read?.value)).toBe(true)
    // Next writes back what it was given, to be tried again in 30 s.
    await set(handler, read!.value!, 30)
    for (const replica of [a, b, start()]) {
      const again = await get(replica)
      expect(again?.value).toMatchObject({ html: '<html>/a' })
      expect(isStale(again?.value)).toBe(false)
    }
    const render = request(b)
    await render.get(KEY, PAGE)
    await set(render, rendered('new'))
    expect((await get(a))?.value).toMatchObject({ html: 'new' })
  })

  it('code alone whose refresh failed: it would look the same, and Next may be unable to render it', async () => {
    const shell = { ...PAGE, isRoutePPREnabled: true }
    build.page(KEY, '_N_T_/layout,_N_T_/a', { revalidate: false }, { postponed: 'hole' })
    const [a, b] = [start(), start()]
    const handler = request(a)
    const read = await handler.get(KEY, shell)
    expect(isStale(read?.value)).toBe(true)
    // Next would try again in three seconds.
    await handler.set(KEY, read!.value!, { ...shell, cacheControl: { revalidate: 3, expire: undefined } })
    for (const replica of [a, b, start()]) {
      const again = await get(replica, shell)
      expect(again?.value).toMatchObject({ html: '<html>/a', postponed: 'hole' })
      expect(isStale(again?.value)).toBe(false)
      expect(again?.cacheControl).toEqual({ revalidate: false, expire: undefined })
    }
    // What is invalidated after the failure is a reason to try again.
    await a.invalidate(['_N_T_/a'])
    expect(await get(b, shell)).toBeNull()
  })

  it('code alone that was invalidated while its refresh failed is not served', async () => {
    const shell = { ...PAGE, isRoutePPREnabled: true }
    build.page(KEY, '_N_T_/layout,_N_T_/a', { revalidate: false }, { postponed: 'hole' })
    const [a, b] = [start(), start()]
    const handler = request(a)
    const read = await handler.get(KEY, shell)
    await b.invalidate(['_N_T_/a'])
    await handler.set(KEY, read!.value!, { ...shell, cacheControl: { revalidate: 3, expire: undefined } })
    for (const replica of [a, b, start()]) expect(await get(replica, shell)).toBeNull()
  })

  it('what time made stale is told by its age, and not stored', async () => {
    await stateFrom(2 * HOUR)
    build.page(KEY, 't', { revalidate: 60, expire: 24 * 3600 })
    const reads = await record('read', async () => {
      expect((await get(start()))?.lastModified).toBeCloseTo(startedAt + MINUTE, -2)
    })
    expect(reads[0]).toMatchObject({ tier: 'build', verdict: 'fresh' })
    expect(await stored()).toBe(false)
  })

  it('the Pages Router has no tags: its page is made stale by its life', async () => {
    build.legacy(KEY, { revalidate: false })
    const read = await get(start(), { kind: 'PAGES', isFallback: false })
    expect(read?.value).toMatchObject({ kind: 'PAGES', html: '<html>/a' })
    expect(read?.cacheControl).toMatchObject({ revalidate: 1 })
    expect(Date.now() - read!.lastModified!).toBeGreaterThan(1000)
  })

  it.each([
    ['when the build began is not known', () => undefined, {}],
    ['the build is of the future', () => Date.now() + BUILD_CLOCK_MARGIN_MS + MINUTE, {}],
    ['the build is older than any entry may be', () => startedAt, { maxTtlSeconds: 3600 }],
  ])('nothing when %s', async (_why, began, options) => {
    await stateFrom(2 * HOUR)
    expect(await get(start({ buildStartedAt: began(), options }))).toBeNull()
  })

  describe('while Redis is away', () => {
    const away = { url: 'redis://127.0.0.1:1' }
    const shell = { ...PAGE, isRoutePPREnabled: true }
    const path = '_N_T_/layout,_N_T_/a'
    const forEver = { revalidate: false } as const

    it('what is made of code alone is served, and not stored', async () => {
      build.page(KEY, path, forEver)
      const a = start(away)
      const reads = await record('read', async () => {
        const read = await get(a, shell)
        expect(read?.value).toMatchObject({ html: '<html>/a' })
        expect(read?.cacheControl).toEqual({ revalidate: false, expire: undefined })
        expect(isStale(read?.value)).toBe(false)
      })
      expect(reads).toMatchObject([{ tier: 'build', verdict: 'fresh' }])
    })

    it.each([
      ['data with a tag may have changed', `${path},t`, forEver, shell],
      ['data with a life may have changed', path, { revalidate: 60, expire: 3600 }, shell],
      ['without cacheComponents any data may be in it', path, forEver, PAGE],
      ['without a tag nothing is known of it', '', forEver, shell],
    ])('%s: nothing', async (_why, tags, life, context) => {
      build.page(KEY, tags, life)
      expect(await get(start(away), context)).toBeNull()
    })

    it('nothing that this process invalidated meanwhile', async () => {
      build.page(KEY, path, forEver)
      const a = start(away)
      await a.invalidate(['_N_T_/a'])
      expect(await get(a, shell)).toBeNull()
    })

    it.skipIf(ON_CLUSTER).each([
      ['of code alone: is served instead', path, { revalidate: false }, 'new'],
      ['with data: nothing is served', `${path},t`, { revalidate: false }, undefined],
      ['with a life: nothing is served', path, { revalidate: 60, expire: 3600 }, undefined],
    ] as const)('what was rendered since, %s', async (_which, tags, cacheControl, html) => {
      build.page(KEY, path, forEver)
      await stateFrom(2 * HOUR)
      const proxy = await startTcpProxy(redis.port)
      try {
        const a = start({ url: proxy.url })
        const render = request(a)
        await render.get(KEY, shell)
        const value = { ...rendered('new'), headers: { [TAGS_HEADER]: tags } } as ResponseValue
        await render.set(KEY, value, { ...shell, cacheControl })
        proxy.retarget(1)
        proxy.cut()
        expect(((await get(a, shell))?.value as { html?: string } | undefined)?.html).toBe(html)
      } finally {
        await proxy.close()
      }
    })
  })

  it('a fetch is never looked up, and nothing is served while Redis is away', async () => {
    await stateFrom(2 * HOUR)
    expect(await get(start(), { kind: 'FETCH', revalidate: 60, tags: [], softTags: [] })).toBeNull()
    expect(await get(start({ url: 'redis://127.0.0.1:1' }))).toBeNull()
  })

  it('costs one more round trip where there was nothing, and none on a hit', async () => {
    await stateFrom(2 * HOUR)
    const a = start()
    await a.useCacheHandlers.default.get('warm', [])
    await redis.resetCommandStats()
    const written = nextEvent('write')
    await get(a)
    await written
    const cold = await redis.commandStats()
    expect([cold['hmget'], cold['getrange'], cold['set']]).toEqual([2, 1, 1])
    await redis.resetCommandStats()
    await get(a)
    const warm = await redis.commandStats()
    expect([warm['hmget'], warm['getrange'], warm['set']]).toEqual([1, 1, undefined])
  })

  it('what it prerendered is claimed after a look at it, everything else with the read', async () => {
    await stateFrom(2 * HOUR)
    const a = start({ options: { singleFlight: { leaseMs: 60_000, waitMs: 60_000 } } })
    const [leases, claims] = [[] as unknown[], [] as unknown[]]
    const written = nextEvent('write')
    for (const key of [KEY, '/b', '/c']) {
      await redis.resetCommandStats()
      const some = await record('lease', () => request(a).get(key, PAGE))
      leases.push(some.map(({ role }) => role))
      const { evalsha, hmget } = await redis.commandStats()
      claims.push([evalsha, hmget])
      if (key !== KEY) continue
      // It is stored while nobody waits.
      await written
      expect(await redis.command('KEYS', '*:lease')).toEqual([])
    }
    expect(leases).toEqual([[], ['leader'], ['leader']])
    expect(claims.slice(1)).toEqual([
      [1, 1],
      [1, 1],
    ])
  })
})
