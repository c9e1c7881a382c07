import { expect, test } from 'vitest'
import { type Answer, until } from '../../support/e2e-tools'
import type { Cell } from '../cells'
import { contentOf, expectCache, type GetCore, render } from './context'
import { routeOf, routesOf } from './routes'

/** What one replica has rendered, the other serves. */
export function testSharing(cell: Cell, getCore: GetCore): void {
  for (const route of routesOf(cell.variant)) {
    test(`${route.name}: B serves what A rendered at run time`, async () => {
      const core = getCore()
      const { a, b, fleet } = core
      const id = `shared-${route.reader}`
      const first = await render(core, a, route.path(id))
      expect(first.status).toBe(200)
      expectCache(first, route, 'MISS')
      const second = await b.visit(route.path(id))
      expectCache(second, route, 'HIT')
      expect(contentOf(second, route)).toEqual(contentOf(first, route))
      expect(contentOf(await a.visit(route.path(id)), route)).toEqual(contentOf(first, route))
      expect(await fleet.origin.renders(route.reader, id)).toBe(1)
    })
  }

  test.each(['isr', 'plain', 'api-cached', 'legacy', ...(cell.variant === 'components' ? ['ppr'] : [])])(
    '%s: B serves what A made of a prerendered path',
    async (reader) => {
      const core = getCore()
      const route = routeOf(reader)
      // Redis was empty, so the output of the build is stale.
      const made = (answer: Answer) => answer.facts[reader]?.replica !== 'build' && answer
      expect(made(await core.a.visit(route.path('p2')))).toBe(false)
      const first = await until(async () => made(await core.a.visit(route.path('p2'))), {
        what: `the refreshed ${reader}`,
        everyMs: 25,
      })
      const second = await core.b.visit(route.path('p2'))
      expectCache(second, route, 'HIT')
      expect(contentOf(second, route)).toEqual(contentOf(first, route))
      expect(await core.fleet.origin.renders(reader, 'p2')).toBe(1)
    },
  )

  test('a missing product is missing on both, without asking twice', async () => {
    const core = getCore()
    for (const reader of ['isr', 'api-cached', 'legacy']) {
      const path = routeOf(reader).path('absent-shared')
      const first = await core.a.visit(path)
      expect(first.status).toBe(404)
      // Of the Pages Router one sees the not-found page, and its state: the build has prerendered it.
      if (reader !== 'legacy') expect(first.cache).toBe('MISS')
      const second = await core.b.visit(path)
      expect([second.status, second.cache]).toEqual([404, 'HIT'])
      expect(await core.fleet.origin.renders(reader, 'absent-shared')).toBe(1)
    }
  })

  /** How many leases ended without an entry. */
  async function countMarks(): Promise<number> {
    const { command } = getCore().fleet.redis
    const names = (await command('KEYS', `${cell.keyPrefix}*:lease`)) as string[]
    const holders = await Promise.all(names.map((name) => command('GET', name)))
    return holders.filter((holder) => holder === '-').length
  }
  /** Sooner than the longest wait: the lease ends with the answer. */
  const SOON = { timeout: 4_000, interval: 20 }

  test('fetch: for an answer that Next does not store nobody waits', async () => {
    const { a, b, fleet } = getCore()
    const before = await countMarks()
    expect((await a.visit('/fetch/absent-fetched')).body).toContain('No such product')
    await expect.poll(countMarks, SOON).toBe(before + 1)
    expect((await b.visit('/fetch/absent-fetched')).body).toContain('No such product')
    expect(await fleet.origin.renders('fetch', 'absent-fetched')).toBe(2)
  })

  test.each(['isr', 'legacy'])('%s: a redirect is kept', async (reader) => {
    const core = getCore()
    const path = `/${reader}/moved-shared`
    const first = await core.a.visit(path)
    // Next says the location of a redirect twice when it has just rendered it.
    expect([first.status, first.cache]).toEqual([307, 'MISS'])
    expect(first.headers.get('location')).toMatch(/^\/\w+\/shared/)
    const second = await core.b.visit(path)
    expect([second.status, second.cache]).toEqual([307, 'HIT'])
    expect(second.headers.get('location')).toBe(`/${reader}/shared`)
  })

  test.runIf(cell.variant === 'components')(
    'PPR: the shell is shared, the hole belongs to the request',
    async () => {
      const core = getCore()
      const { a, b } = core
      for (const id of ['hole', 'other-hole']) {
        const first = await render(core, a, `/ppr/${id}`)
        expect(first.body).toContain('data-visitor="a"')
        const second = await b.visit(`/ppr/${id}`)
        expect(second.body).toContain('data-visitor="b"')
        expect(second.body).not.toContain('data-visitor="a"')
        expect(contentOf(second, routeOf('ppr'))).toEqual(contentOf(first, routeOf('ppr')))
      }
    },
  )

  test.runIf(cell.variant === 'components')('a root parameter tells entries apart, on both', async () => {
    const core = getCore()
    const { a, b, fleet } = core
    const first = await render(core, a, '/market/at/rooted')
    const other = await render(core, a, '/market/de/rooted')
    expect(first.facts['market']?.serial).not.toBe(other.facts['market']?.serial)
    expect((await b.visit('/market/at/rooted')).facts).toEqual(first.facts)
    expect((await b.visit('/market/de/rooted')).facts).toEqual(other.facts)
    expect(await fleet.origin.renders('market-at', 'rooted')).toBe(1)
    expect(await fleet.origin.renders('market-de', 'rooted')).toBe(1)
    await fleet.origin.publish('rooted')
    await a.revalidateTag('content:rooted')
    for (const market of ['at', 'de'])
      expect((await b.visit(`/market/${market}/rooted`)).facts['market']?.version).toBe(2)
  })

  test('draft mode neither reads nor stores', async () => {
    const core = getCore()
    const { a, b, fleet } = core
    const kept = await render(core, a, '/isr/drafted')
    const enabled = await a.visit('/api/control', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ action: 'draft', enable: true }),
    })
    const [cookie = ''] = enabled.headers.getSetCookie()
    expect(cookie).toContain('__prerender_bypass=')
    await fleet.origin.publish('drafted')
    const draft = await a.visit('/isr/drafted', { headers: { cookie: cookie.split(';')[0] ?? '' } })
    expect(draft.facts['isr']?.version).toBe(2)
    await fleet.settled()
    for (const replica of [a, b]) expect((await replica.visit('/isr/drafted')).facts).toEqual(kept.facts)
  })

  test.runIf(cell.variant === 'classic')('edge routes answer, uncached', async () => {
    const { a, b, fleet } = getCore()
    for (const [path, reader] of [
      ['/edge/shared', 'edge'],
      ['/api/edge/shared', 'api-edge'],
    ] as const) {
      const first = await a.visit(path)
      const second = await b.visit(path)
      expect([first.status, second.status]).toEqual([200, 200])
      expect(second.facts[reader]?.render).not.toBe(first.facts[reader]?.render)
      expect(await fleet.origin.renders(reader, 'shared')).toBe(2)
    }
  })

  test('an optimised image is shared when asked for, else made by each', async () => {
    const { a, b } = getCore()
    const path = '/_next/image?url=/shelf.png&w=64&q=75'
    expect((await a.visit(path)).status).toBe(200)
    const second = await b.visit(path)
    expect(second.status).toBe(200)
    if (cell.images) expect(second.cache).toBe('HIT')
  })

  test.runIf(cell.images)('for an image that cannot be made nobody waits', async () => {
    const { a, b } = getCore()
    const path = '/_next/image?url=/absent.png&w=64&q=75'
    const before = await countMarks()
    expect((await a.visit(path)).status).toBe(404)
    await expect.poll(countMarks, SOON).toBe(before + 1)
    expect((await b.visit(path)).status).toBe(404)
  })
}
