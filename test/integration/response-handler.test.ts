import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { CacheHandler, CacheHandlerGetContext, ResponseValue } from '../../runtime/handlers/next-types'
import type { Driver } from '../../src/options'
import { localNow } from '../../src/server-time'
import { type RedisServer, startRedis } from '../support/redis-server'
import { createFleet, DRIVERS, record, type Replica } from '../support/replicas'

let redis: RedisServer
const fleet = createFleet()

beforeAll(async () => void (redis = await startRedis()))
afterAll(() => redis.stop())

const page = (html: string, tags: string, more = {}): ResponseValue => ({
  kind: 'APP_PAGE',
  html,
  rscData: Buffer.from(`rsc of ${html}`),
  headers: { 'x-next-cache-tags': tags },
  status: 200,
  segmentData: new Map([['/_tree', Buffer.from([0, 255])]]),
  ...more,
})
const fetched = (body: string): ResponseValue => ({
  kind: 'FETCH',
  data: { headers: { 'content-type': 'text/plain' }, body, url: 'http://127.0.0.1/', status: 200 },
  revalidate: 60,
})
const FETCH: CacheHandlerGetContext = { kind: 'FETCH', revalidate: 60, tags: ['t'], softTags: ['_N_T_/page'] }
const APP_PAGE = { kind: 'APP_PAGE', isFallback: false, isRoutePPREnabled: false } as const

describe.each(Object.keys(DRIVERS) as Driver[])('cacheHandler over %s', (driver) => {
  let a: Replica
  let b: Replica

  beforeEach(async () => {
    await redis.command('FLUSHALL')
    a = fleet.start({ url: redis.url, driver })
    b = fleet.start({ url: redis.url, driver })
  })
  afterEach(() => fleet.stop())

  /** Next makes a new instance for every request. */
  const request = (replica: Replica): CacheHandler => new replica.CacheHandler({})

  async function render(
    replica: Replica,
    key: string,
    value: ResponseValue | null,
    cacheControl = {},
  ): Promise<void> {
    const handler = request(replica)
    await handler.get(key, APP_PAGE)
    await handler.set(key, value, {
      ...APP_PAGE,
      cacheControl: { revalidate: 60, expire: 3600, ...cacheControl },
    })
  }

  it('a page that one replica rendered the other serves, with its cacheControl and its age', async () => {
    const before = localNow()
    await render(a, '/route-cache/key', page('one', 't'))
    const read = await request(b).get('/route-cache/key', APP_PAGE)
    expect(read?.value).toEqual(page('one', 't'))
    expect(read?.cacheControl).toEqual({ revalidate: 60, expire: 3600 })
    expect(read?.lastModified).toBeGreaterThan(before - 50)
    expect(read?.lastModified).toBeLessThan(localNow() + 50)
  })

  it.each([
    [
      'APP_ROUTE',
      { kind: 'APP_ROUTE', body: Buffer.from([1, 0, 2]), headers: { 'x-a': ['1', '2'] }, status: 201 },
    ],
    ['PAGES', { kind: 'PAGES', html: '<p>', pageData: { props: { a: null } }, headers: {}, status: 200 }],
    ['REDIRECT', { kind: 'REDIRECT', props: { pageProps: { __N_REDIRECT: '/to' } } }],
    ['not found', null],
  ] as [string, ResponseValue | null][])('%s is shared as it is', async (_name, value) => {
    await render(a, 'k', value)
    const read = await request(b).get('k', APP_PAGE)
    expect(read?.value).toEqual(value)
    expect(read?.cacheControl).toEqual({ revalidate: 60, expire: 3600 })
  })

  it('an image is shared in a key space of its own', async () => {
    const image: ResponseValue = {
      kind: 'IMAGE',
      etag: 'e',
      upstreamEtag: 'u',
      buffer: Buffer.from([9]),
      extension: 'webp',
      revalidate: 60,
    }
    const handler = request(a)
    await handler.get('k', { kind: 'IMAGE', isFallback: false })
    await handler.set('k', image, { kind: 'IMAGE', cacheControl: { revalidate: 60 } })
    expect((await request(b).get('k', { kind: 'IMAGE', isFallback: false }))?.value).toEqual(image)
    expect(await request(b).get('k', APP_PAGE)).toBeNull()
  })

  it('fetch: hard by its own tag and by a soft tag of the reader', async () => {
    for (const tag of ['t', '_N_T_/page']) {
      const handler = request(a)
      await handler.get('f', FETCH)
      await handler.set('f', fetched('one'), { fetchCache: true, tags: ['t'] })
      expect((await request(b).get('f', FETCH))?.value).toEqual(fetched('one'))
      await request(b).revalidateTag(tag)
      expect(await request(a).get('f', FETCH)).toBeNull()
    }
  })

  it('fetch: a soft invalidation makes the entry older than its revalidate', async () => {
    const handler = request(a)
    await handler.get('f', FETCH)
    await handler.set('f', fetched('one'), { fetchCache: true, tags: ['t'] })
    await request(b).revalidateTag(['t'], { expire: 3600 })
    const read = await request(a).get('f', FETCH)
    expect(read?.value).toEqual(fetched('one'))
    expect((localNow() - (read?.lastModified ?? 0)) / 1000).toBeGreaterThan(60)
  })

  it('a fallback read, and a read of a postponed page, leave rscData out', async () => {
    await render(a, 'shell', page('shell', 't', { postponed: 'state' }))
    await render(a, 'plain', page('plain', 't'))
    const rsc = async (key: string, context: object) => {
      const value = (await request(b).get(key, { ...APP_PAGE, ...context }))?.value
      return value?.kind === 'APP_PAGE' && 'rscData' in value
    }
    expect(await rsc('shell', { isRoutePPREnabled: true })).toBe(false)
    expect(await rsc('shell', { isRoutePPREnabled: false })).toBe(true)
    expect(await rsc('plain', { isRoutePPREnabled: true })).toBe(true)
    expect(await rsc('plain', { isFallback: true })).toBe(false)
  })

  it('a render that began before a hard invalidation is never served after it', async () => {
    const slow = request(a)
    await slow.get('k', APP_PAGE)
    await request(b).revalidateTag('t')
    await slow.set('k', page('old', 't'), { ...APP_PAGE, cacheControl: { revalidate: 60 } })
    expect(await request(a).get('k', APP_PAGE)).toBeNull()
    expect(await request(b).get('k', APP_PAGE)).toBeNull()
  })

  it('what nobody read is fenced by the beginning of its request', async () => {
    await request(a).get('other', APP_PAGE)
    const early = request(a)
    await request(a).revalidateTag('t')
    await early.set('k', page('old', 't'), { ...APP_PAGE, cacheControl: { revalidate: 60 } })
    expect(await request(b).get('k', APP_PAGE)).toBeNull()
    await request(a).set('k', page('new', 't'), { ...APP_PAGE, cacheControl: { revalidate: 60 } })
    expect((await request(b).get('k', APP_PAGE))?.value).toEqual(page('new', 't'))
  })

  it('a soft invalidation marks a page for Next, and the mark is never stored', async () => {
    await render(a, 'k', page('old', 't,u'))
    await request(b).revalidateTag('t', { expire: 3600 })
    const stale = await request(a).get('k', APP_PAGE)
    expect(stale?.value).toMatchObject({ headers: { 'x-next-cache-tags': 't,u,_ndc_stale' } })
    await render(a, 'k', page('new', 't,u'))
    expect((await request(b).get('k', APP_PAGE))?.value).toEqual(page('new', 't,u'))
  })

  it('a failed refresh, written back by Next, neither looks new nor is retried at once', async () => {
    await render(a, 'k', page('old', 't'))
    await request(b).revalidateTag('t', { expire: 3600 })
    const handler = request(a)
    const stale = await handler.get('k', APP_PAGE)
    const previous = stale?.value as ResponseValue
    await handler.set('k', previous, { ...APP_PAGE, cacheControl: { revalidate: 3, expire: 3600 } })
    const masked = await request(b).get('k', APP_PAGE)
    expect(masked?.value).toEqual(page('old', 't'))
    expect(masked?.cacheControl?.revalidate).toBe(3)
    // What is invalidated after the failure is tried again at once.
    await request(b).revalidateTag('t', { expire: 3600 })
    expect((await request(a).get('k', APP_PAGE))?.value).toMatchObject({
      headers: { 'x-next-cache-tags': 't,_ndc_stale' },
    })
    // Hard now: had the old value been taken for a new one, it would still be served.
    await request(b).revalidateTag('t')
    expect(await request(a).get('k', APP_PAGE)).toBeNull()
  })

  it('a page that inherited the mark of something stale gets a life that Next serves', async () => {
    const handler = request(a)
    await handler.get('k', APP_PAGE)
    await handler.set('k', page('one', 't'), { ...APP_PAGE, cacheControl: { revalidate: -1, expire: 3600 } })
    const read = await request(b).get('k', APP_PAGE)
    expect(read?.value).toEqual(page('one', 't'))
    expect(read?.cacheControl).toEqual({ revalidate: 1, expire: 3600 })
  })

  it('a value is never mutated', async () => {
    const value = Object.freeze(page('one', 't'))
    Object.freeze((value as { headers: object }).headers)
    await render(a, 'k', value)
    expect((await request(b).get('k', APP_PAGE))?.value).toEqual(page('one', 't'))
  })

  it('garbage, another type, and an entry of another format version are counted misses', async () => {
    await render(a, 'k', page('one', 't'))
    const [key] = ((await redis.command('KEYS', 'ndc:test:build-1:r:*')) as string[]) ?? []
    const future = Buffer.concat([Buffer.from('crc NDC\x63'), Buffer.alloc(100)])
    for (const [bytes, fault] of [
      [Buffer.from('garbage that is longer than a head: garbage that is longer'), 'magic'],
      [Buffer.from('short'), 'short'],
      [future, 'version'],
    ] as const) {
      await redis.command('SET', key as string, bytes)
      const faults = await record('fault', async () => {
        expect(await request(b).get('k', APP_PAGE)).toBeNull()
      })
      expect(faults).toMatchObject([{ fault }])
      // And the next render mends it.
      await render(b, 'k', page('mended', 't'))
      expect((await request(a).get('k', APP_PAGE))?.value).toEqual(page('mended', 't'))
    }
    await redis.command('DEL', key as string)
    await redis.command('LPUSH', key as string, 'x')
    const faults = await record('fault', async () => expect(await request(b).get('k', APP_PAGE)).toBeNull())
    expect(faults.length).toBe(1)
    await render(b, 'k', page('mended again', 't'))
    expect((await request(a).get('k', APP_PAGE))?.value).toEqual(page('mended again', 't'))
  })

  it('every key has a TTL, and no key name holds a cache key', async () => {
    await render(a, '/secret/alice', page('one', 't'), { expire: undefined, revalidate: false })
    await render(a, '/secret/bob', null)
    await request(a).revalidateTag('t')
    const keys = (await redis.command('KEYS', '*')) as string[]
    expect(keys.length).toBe(3)
    for (const key of keys) {
      expect(key).not.toContain('secret')
      expect(await redis.command('PTTL', key)).toBeGreaterThan(0)
    }
  })

  it('two deployments never see each other, yet an invalidation holds for both, also after a rollback', async () => {
    const next = fleet.start({ url: redis.url, driver, namespace: 'build-2' })
    await render(a, 'k', page('of build 1', 't'))
    expect(await request(next).get('k', APP_PAGE)).toBeNull()
    await render(next, 'k', page('of build 2', 't'))
    expect((await request(b).get('k', APP_PAGE))?.value).toEqual(page('of build 1', 't'))
    await request(next).revalidateTag('t')
    expect(await request(b).get('k', APP_PAGE)).toBeNull()
    expect(await request(next).get('k', APP_PAGE)).toBeNull()
  })

  it('two applications do not touch each other', async () => {
    const other = fleet.start({ url: redis.url, driver, options: { keyPrefix: 'ndc:other' } })
    await render(a, 'k', page('ours', 't'))
    expect(await request(other).get('k', APP_PAGE)).toBeNull()
    await request(other).revalidateTag('t')
    expect((await request(b).get('k', APP_PAGE))?.value).toEqual(page('ours', 't'))
  })
})
