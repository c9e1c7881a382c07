import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { CacheHandlerValue, ResponseValue } from '../../runtime/handlers/next-types'
import type { TelemetryEvents } from '../../runtime/telemetry'
import type { Driver, Preset } from '../../src/options'
import { type RedisServer, startRedis } from '../support/redis-server'
import { createFleet, DRIVERS, record, type Replica } from '../support/replicas'

// Pages out of local memory, which keeps them decoded: in both presets, since one serves them and the other has them
// proven by each read.

type Page = Extract<ResponseValue, { kind: 'APP_PAGE' }>
type Tier = TelemetryEvents['read']['tier']

const APP_PAGE = { kind: 'APP_PAGE', isFallback: false, isRoutePPREnabled: false } as const
const LIFE = { revalidate: 60, expire: 3600 }
const PATIENCE = { timeout: 20_000, interval: 20 }

const pageOf = (html: string): Page => ({
  kind: 'APP_PAGE',
  html: `<p>${html} – not ASCII</p>`,
  rscData: Buffer.from(`rsc of ${html}`),
  headers: { 'x-next-cache-tags': 't', 'set-cookie': ['a', 'b'] },
  status: 200,
  segmentData: new Map([
    ['/_tree', Buffer.from('tree')],
    ['/page', Buffer.from([0, 255])],
  ]),
})

let redis: RedisServer
const fleet = createFleet()
beforeAll(async () => void (redis = await startRedis()))
afterAll(() => redis.stop())

const CELLS = (Object.keys(DRIVERS) as Driver[]).flatMap((driver) => [
  [driver, 'strict', 'unchanged'] as const,
  [driver, 'l1-pubsub', 'local'] as const,
])

describe.each(CELLS)('pages in local memory over %s, %s', (driver, preset: Preset, tier: Tier) => {
  let a: Replica
  let b: Replica

  beforeEach(async () => {
    await redis.command('FLUSHALL')
    a = fleet.start({ url: redis.url, driver, options: { preset } })
    b = fleet.start({ url: redis.url, driver, options: { preset } })
  })
  afterEach(() => fleet.stop())

  /** Next makes a new instance for every request. */
  const request = (replica: Replica) => new replica.CacheHandler({})
  const read = (replica: Replica) => request(replica).get('/page', APP_PAGE)

  async function render(replica: Replica, html: string): Promise<void> {
    const handler = request(replica)
    await handler.get('/page', APP_PAGE)
    await handler.set('/page', pageOf(html), { ...APP_PAGE, cacheControl: LIFE })
  }

  const pageOn = async (replica: Replica) => (await read(replica))?.value as Page | null | undefined

  /** A read that local memory answered: in `l1-pubsub` once the subscription is proven. */
  async function readLocally(replica: Replica): Promise<CacheHandlerValue | null> {
    let answer: CacheHandlerValue | null = null
    const tierOfRead = async () => (await record('read', async () => (answer = await read(replica))))[0]?.tier
    await expect.poll(tierOfRead, PATIENCE).toBe(tier)
    return answer
  }

  it('whatever is done to one answer does not show in the next', async () => {
    await render(a, 'one')
    for (let turn = 0; turn < 3; turn++) {
      const answer = await readLocally(b)
      expect(answer?.value).toEqual(pageOf('one'))
      expect(answer?.cacheControl).toEqual(LIFE)
      const page = answer?.value as Page
      delete page.rscData
      page.html = 'changed'
      page.segmentData?.clear()
      ;(page.headers!['set-cookie'] as string[]).push('c')
      page.headers!['x-next-cache-tags'] = 'others'
      answer!.cacheControl!.revalidate = 1
      answer!.lastModified = 0
    }
  })

  it('the same shell is handed out without data and, for another purpose, with it', async () => {
    await render(a, 'one')
    await readLocally(b)
    const shell = await request(b).get('/page', { ...APP_PAGE, isFallback: true })
    expect(shell?.value).toEqual({ ...pageOf('one'), rscData: undefined })
    expect((await readLocally(b))?.value).toEqual(pageOf('one'))
  })

  it('a hard invalidation elsewhere ends it, and what is rendered then replaces it', async () => {
    await render(a, 'old')
    await readLocally(b)
    await request(a).revalidateTag('t')
    // In `strict` at once.
    if (preset === 'strict') expect(await read(b)).toBeNull()
    await expect.poll(() => read(b), PATIENCE).toBeNull()
    await render(a, 'new')
    await expect.poll(async () => (await pageOn(b))?.html, PATIENCE).toContain('new')
    expect((await readLocally(b))?.value).toEqual(pageOf('new'))
  })

  it('what another replica renders replaces what is kept decoded', async () => {
    await render(a, 'old')
    await readLocally(b)
    await render(a, 'new')
    await expect.poll(async () => (await pageOn(b))?.html, PATIENCE).toContain('new')
    expect((await readLocally(b))?.value).toEqual(pageOf('new'))
  })

  it('an invalidation of its own counts at once, journalled or not', async () => {
    await render(b, 'old')
    await readLocally(b)
    await request(b).revalidateTag('t', { expire: 60 })
    await expect
      .poll(async () => (await pageOn(b))?.headers?.['x-next-cache-tags'], PATIENCE)
      .toBe('t,_ndc_stale')
    await request(b).revalidateTag('t')
    await expect.poll(() => read(b), PATIENCE).toBeNull()
  })

  it('a value that is written back after a failed refresh is as old as it was', async () => {
    await render(a, 'old')
    const slow = request(a)
    await slow.get('/page', APP_PAGE)
    let handler = request(b)
    let value: ResponseValue | null = null
    await readLocally(b)
    await request(a).revalidateTag('t', { expire: 60 })
    await expect
      .poll(async () => {
        handler = request(b)
        const answer = await handler.get('/page', APP_PAGE)
        value = answer?.value ?? null
        return (value as Page).headers?.['x-next-cache-tags']
      }, PATIENCE)
      .toBe('t,_ndc_stale')
    // Not tried again before its time.
    await handler.set('/page', value, { ...APP_PAGE, cacheControl: { revalidate: 30, expire: 3600 } })
    expect((await read(a))?.value).toEqual(pageOf('old'))
    // It is still the old page: what was rendered later replaces it, although that began before the invalidation.
    await slow.set('/page', pageOf('later'), { ...APP_PAGE, cacheControl: LIFE })
    await expect.poll(async () => (await pageOn(b))?.html, PATIENCE).toContain('later')
    await request(a).revalidateTag('t')
    expect(await request(a).get('/page', APP_PAGE)).toBeNull()
  })
})
