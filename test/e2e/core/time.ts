import { beforeAll, expect, test } from 'vitest'
import { until } from '../../support/e2e-tools'
import type { Cell } from '../cells'
import { contentOf, expectCache, type GetCore, refreshed, render } from './context'
import { routeOf } from './routes'

/** What `brief-…` of use cache: remote lives, with a margin. */
const BRIEF_EXPIRE_MS = 5_500

/** Grown old by time alone. */
export function testTime(cell: Cell, getCore: GetCore): void {
  let warmedAt = 0
  // Early, so that it is over when its test comes.
  if (cell.variant === 'components')
    beforeAll(async () => {
      await getCore().a.visit('/remote/brief-gone')
      warmedAt = performance.now()
    })

  test.each([
    ['timed', 'aged'],
    ['legacy', 'brief-aged'],
  ])(
    '%s: both replicas serve the old page until it is 2 s old, then one renders for both',
    async (reader, id) => {
      const core = getCore()
      const { a, b, fleet } = core
      const route = { ...routeOf('isr'), path: (of: string) => `/${reader}/${of}`, reader }
      const first = contentOf(await render(core, a, route.path(id)), route)
      const writes = await fleet.writes()
      expectCache(await b.visit(route.path(id)), route, 'HIT')
      const stale = await until(
        async () => {
          const answer = await b.visit(route.path(id))
          return answer.cache === 'STALE' && answer
        },
        { what: 'a stale answer', limitMs: 6_000, everyMs: 100 },
      )
      expect(contentOf(stale, route)).toEqual(first)
      await refreshed(core, b, route, id, { renders: 1, writes, shown: first })
      const onB = await b.visit(route.path(id))
      const onA = await a.visit(route.path(id))
      expect([onB.cache, onA.cache]).toEqual(['HIT', 'HIT'])
      expect(contentOf(onB, route)).not.toEqual(first)
      expect(contentOf(onA, route)).toEqual(contentOf(onB, route))
      expect(await fleet.origin.renders(reader, id)).toBe(2)
    },
  )

  test.runIf(cell.variant === 'components')(
    'use cache: remote grows stale: one generation for both',
    async () => {
      const core = getCore()
      const { a, b, fleet } = core
      const route = routeOf('remote')
      const first = contentOf(await render(core, a, route.path('brief-aged')), route)
      expect(contentOf(await b.visit(route.path('brief-aged')), route)).toEqual(first)
      const second = await until(
        async () => {
          const content = contentOf(await b.visit(route.path('brief-aged')), route)
          return content.serial !== first.serial && content
        },
        { what: 'another generation', limitMs: 6_000, everyMs: 100 },
      )
      expect(contentOf(await a.visit(route.path('brief-aged')), route)).toEqual(second)
      expect(await fleet.origin.renders('remote', 'brief-aged')).toBe(2)
    },
  )

  test.runIf(cell.variant === 'components')(
    'use cache: remote expires: the next visitor waits for the new version',
    async () => {
      const { b, fleet } = getCore()
      await fleet.origin.publish('brief-gone')
      await until(() => performance.now() - warmedAt > BRIEF_EXPIRE_MS, { what: 'expiry', everyMs: 50 })
      expect((await b.visit('/remote/brief-gone')).facts['remote']?.version).toBe(2)
    },
  )

  // Before 16.4 Next believes that a path which another replica rendered lives for a second.
  test('a page that lives for an hour is a HIT on B after more than a second', async () => {
    const core = getCore()
    const { a, b, fleet } = core
    for (const reader of ['plain', 'legacy']) await render(core, a, `/${reader}/lasting`)
    const renderedAt = performance.now()
    await until(() => performance.now() - renderedAt > 1_300, { what: 'more than a second' })
    for (const reader of ['plain', 'legacy']) {
      const onA = await a.visit(`/${reader}/lasting`)
      const onB = await b.visit(`/${reader}/lasting`)
      expect(onB.cache).toBe('HIT')
      expect(onB.headers.get('cache-control')).toMatch(/^s-maxage=3600, stale-while-revalidate=\d+$/)
      expect(onB.headers.get('cache-control')).toBe(onA.headers.get('cache-control'))
      expect((await b.visit(`/${reader}/lasting`)).facts[reader]?.replica).toBe('a')
      expect(await fleet.origin.renders(reader, 'lasting')).toBe(1)
    }
  })
}
