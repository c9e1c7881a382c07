import { beforeEach, describe, expect, it } from 'vitest'
import { createRuntime } from '../../runtime/create-runtime'
import type { ResponseValue } from '../../runtime/handlers/next-types'
import { STALE_MARK } from '../../runtime/handlers/stale-mark'
import { type Replica, TEST_OPTIONS } from '../support/replicas'

// The installed Next's own IncrementalCache on top of our handler: what it makes of our answers.
const { IncrementalCache } = require('next/dist/server/lib/incremental-cache') as {
  IncrementalCache: new (options: object) => NextIncrementalCache
}
const { tagsManifest } =
  require('next/dist/server/lib/incremental-cache/tags-manifest.external') as typeof import('next/dist/server/lib/incremental-cache/tags-manifest.external')

interface NextIncrementalCache {
  get(
    key: string,
    context: object,
  ): Promise<null | {
    isStale?: boolean | -1
    value: ResponseValue | null
    cacheControl?: { revalidate: number | false; expire?: number }
  }>
  set(key: string, value: ResponseValue | null, context: object): Promise<void>
  revalidateTag(tags: string | string[], durations?: { expire?: number }): Promise<void>
}

const preview = { previewModeId: 'id', previewModeEncryptionKey: '', previewModeSigningKey: '' }
const route = { kind: 'APP_PAGE', sourceRoute: '/[slug]' }
const PAGE = { kind: 'APP_PAGE', isFallback: false, isRoutePPREnabled: false, route }
const FETCH = { kind: 'FETCH', revalidate: 60, tags: ['t'], softTags: [] }

const page = (html: string): ResponseValue => ({
  kind: 'APP_PAGE',
  html,
  headers: { 'x-next-cache-tags': 't' },
  status: 200,
})
const fetched = (body: string): ResponseValue => ({
  kind: 'FETCH',
  data: { headers: {}, body, url: 'http://127.0.0.1/', status: 200 },
  revalidate: 60,
})

describe('the IncrementalCache of the installed Next on top of our handler', () => {
  let replica: Replica

  beforeEach(() => {
    replica = createRuntime({
      options: TEST_OPTIONS,
      backend: 'memory',
      url: undefined,
      namespace: 'contract',
      debug: false,
      createClient: undefined,
    })
  })

  /** One per request and per process: it remembers nothing of the entries that we serve. */
  const request = () =>
    new IncrementalCache({
      dev: false,
      requestHeaders: {},
      minimalMode: false,
      serverDistDir: '/nowhere/server',
      fetchCacheKeyPrefix: '',
      maxMemoryCacheSize: 0,
      flushToDisk: false,
      previewProps: preview,
      prerenderManifest: { version: 4, routes: {}, dynamicRoutes: {}, notFoundRoutes: [], preview },
      CurCacheHandler: replica.CacheHandler,
    })

  async function render(html: string, revalidate: number | false = 60): Promise<void> {
    const cache = request()
    await cache.get('/a', PAGE)
    await cache.set('/a', page(html), { ...PAGE, cacheControl: { revalidate, expire: 3600 } })
  }

  it('a page is fresh, with the life that it was stored with', async () => {
    await render('one')
    const read = await request().get('/a', PAGE)
    expect(read?.value).toEqual(page('one'))
    expect(read?.isStale).toBeFalsy()
    expect(read?.cacheControl).toEqual({ revalidate: 60, expire: 3600 })
  })

  it.each([60, false] as const)(
    'after a soft invalidation it is stale once (revalidate %s)',
    async (revalidate) => {
      await render('old', revalidate)
      await request().revalidateTag(['t'], { expire: 3600 })
      const stale = await request().get('/a', PAGE)
      expect(stale?.isStale).toBe(true)
      expect(stale?.cacheControl?.revalidate).toBe(revalidate)
      await render('new', revalidate)
      const fresh = await request().get('/a', PAGE)
      expect(fresh?.isStale).toBeFalsy()
      expect(fresh?.value).toEqual(page('new'))
    },
  )

  it('after a hard invalidation it is gone', async () => {
    await render('old')
    await request().revalidateTag('t')
    expect(await request().get('/a', PAGE)).toBeNull()
  })

  it('a fetch is fresh, stale by its tag, gone by its tag', async () => {
    const cache = request()
    await cache.get('f', FETCH)
    await cache.set('f', fetched('one'), { fetchCache: true, tags: ['t'], fetchUrl: 'http://127.0.0.1/' })
    expect((await request().get('f', FETCH))?.isStale).toBe(false)
    await request().revalidateTag(['t'], { expire: 3600 })
    const stale = await request().get('f', FETCH)
    expect(stale?.isStale).toBe(true)
    expect(stale?.value).toMatchObject({ kind: 'FETCH', data: { body: 'one' } })
    await request().revalidateTag(['t'])
    expect(await request().get('f', FETCH)).toBeNull()
  })

  it('a cached not-found is an entry, not a miss', async () => {
    const cache = request()
    await cache.get('/a', PAGE)
    await cache.set('/a', null, { ...PAGE, cacheControl: { revalidate: 60 } })
    expect(await request().get('/a', PAGE)).toMatchObject({ value: null })
  })

  it('the manifest of Next holds one tag of ours, however many pages are stale', async () => {
    await render('old')
    for (let i = 0; i < 20; i++) await request().revalidateTag([`t${i}`, 't'], { expire: 3600 })
    await request().get('/a', PAGE)
    expect([...tagsManifest.keys()]).toEqual([STALE_MARK])
  })
})
