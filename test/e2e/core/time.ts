import { beforeAll, expect, test } from 'vitest'
import { until } from '../../support/e2e-tools'
import type { Cell } from '../cells'
import { contentOf, expectShared, type GetCore, refreshed, render } from './context'
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
      expectShared(await b.visit(route.path(id)), core)
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

  test.runIf(!cell.abilities.sharesLife)(
    'before 16.4, a replica that never rendered a path renders it once for itself',
    async () => {
      const core = getCore()
      const { a, b, fleet } = core
      const plain = routeOf('plain')
      const first = contentOf(await render(core, a, plain.path('own')), plain)
      const stale = await until(
        async () => {
          const answer = await b.visit(plain.path('own'))
          return answer.cache === 'STALE' && answer
        },
        { what: 'a stale answer', limitMs: 4_000, everyMs: 100 },
      )
      expect(contentOf(stale, plain)).toEqual(first)
      await fleet.settled()
      const own = await b.visit(plain.path('own'))
      expect(own.cache).toBe('HIT')
      expect(own.facts['plain']?.replica).toBe('b')
      // Both know the path now, and stay with the newer render.
      const onA = await a.visit(plain.path('own'))
      expect(onA.cache).toBe('HIT')
      expect(contentOf(onA, plain)).toEqual(contentOf(own, plain))
    },
  )
}
