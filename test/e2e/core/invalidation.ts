import { describe, expect, test } from 'vitest'
import type { Cell } from '../cells'
import { type Core, contentOf, expectCache, type GetCore, render, visitStale } from './context'
import { type CachedRoute, routeOf, routesOf } from './routes'

/** Both replicas have version 1. */
async function warm(core: Core, route: CachedRoute, id: string) {
  const first = await render(core, core.a, route.path(id))
  expectCache(await core.b.visit(route.path(id)), route, 'HIT')
  return contentOf(first, route)
}

/** Invalidated by tag on A, read on B. */
export function testTags(cell: Cell, getCore: GetCore): void {
  const tagged = routesOf(cell.variant).filter((route) => route.tagged)

  describe.each(tagged)('$name', (route) => {
    test('revalidateTag, hard: B shows the new version at once, A the same render', async () => {
      const core = getCore()
      const { a, b, fleet } = core
      const id = `hard-${route.reader}`
      const before = await warm(core, route, id)
      const bystander = contentOf(await render(core, a, route.path(`${id}-not`)), route)
      await fleet.origin.publish(id)
      await fleet.origin.publish(`${id}-not`)

      await a.revalidateTag(`content:${id}`)

      const onB = await render(core, b, route.path(id))
      expectCache(onB, route, 'MISS')
      expect(contentOf(onB, route)).toMatchObject({ version: before.version + 1 })
      const onA = await a.visit(route.path(id))
      expectCache(onA, route, 'HIT')
      expect(contentOf(onA, route)).toEqual(contentOf(onB, route))
      expect(await fleet.origin.renders(route.reader, id)).toBe(2)
      expect(contentOf(await a.visit(route.path(`${id}-not`)), route)).toEqual(bystander)
    })

    test("revalidateTag 'max': B shows the old version once, then both the new one, of one render", async () => {
      const core = getCore()
      const { a, b, fleet } = core
      const id = `soft-${route.reader}`
      const before = await warm(core, route, id)
      await fleet.origin.publish(id)

      await a.revalidateTag(`content:${id}`, 'max')

      const stale = await visitStale(core, b, route, id)
      expectCache(stale, route, 'STALE')
      expect(contentOf(stale, route)).toEqual(before)
      const onB = await b.visit(route.path(id))
      expectCache(onB, route, 'HIT')
      expect(contentOf(onB, route)).toMatchObject({ version: before.version + 1 })
      const onA = await a.visit(route.path(id))
      expectCache(onA, route, 'HIT')
      expect(contentOf(onA, route)).toEqual(contentOf(onB, route))
      expect(await fleet.origin.renders(route.reader, id)).toBe(2)
    })
  })

  test('one tag, many entries: everything that carries it is invalidated on B', async () => {
    const core = getCore()
    const { a, b, fleet } = core
    for (const route of tagged) await render(core, a, route.path('everywhere'))
    await fleet.origin.publish('everywhere')
    await a.revalidateTag('content:everywhere')
    for (const route of tagged)
      expect(contentOf(await b.visit(route.path('everywhere')), route)).toMatchObject({ version: 2 })
  })

  test('a product that appears is found on B, one that goes is missing there', async () => {
    const core = getCore()
    const { a, b, fleet } = core
    for (const reader of ['isr', 'api-cached']) {
      const path = routeOf(reader).path(`absent-${reader}`)
      expect((await render(core, a, path)).status).toBe(404)
      await fleet.origin.publish(`absent-${reader}`)
      await a.revalidateTag(`content:absent-${reader}`)
      const found = await render(core, b, path)
      expect([found.status, found.cache]).toEqual([200, 'MISS'])
      expect((await a.visit(path)).facts[reader]).toEqual(found.facts[reader])
      await fleet.origin.remove(`absent-${reader}`)
      await b.revalidateTag(`content:absent-${reader}`)
      expect((await a.visit(path)).status).toBe(404)
      expect((await b.visit(path)).status).toBe(404)
    }
  })

  test.runIf(cell.variant === 'components')(
    'nested use cache: the outer entry goes with the inner, not the reverse',
    async () => {
      const core = getCore()
      const { a, b, fleet } = core
      const first = await render(core, a, '/nested/n')
      expect((await b.visit('/nested/n')).facts).toEqual(first.facts)
      await fleet.origin.publish('n')
      await a.revalidateTag('inner:n')
      const second = await render(core, b, '/nested/n')
      expect(second.facts['nested-inner']?.version).toBe(2)
      expect(second.facts['nested-outer']?.version).toBe(2)
      await fleet.origin.publish('n')
      await a.revalidateTag('outer:n')
      const third = await render(core, b, '/nested/n')
      expect(third.facts['nested-outer']?.version).toBe(3)
      expect(third.facts['nested-inner']).toEqual(second.facts['nested-inner'])
      expect((await a.visit('/nested/n')).facts).toEqual(third.facts)
      expect(await fleet.origin.renders('nested-outer', 'n')).toBe(3)
      expect(await fleet.origin.renders('nested-inner', 'n')).toBe(2)
    },
  )
}

/** Invalidated by a server action on A, read on B. */
export function testActions(getCore: GetCore): void {
  test('updateTag: the author sees the change in the answer, and B has it', async () => {
    const core = getCore()
    const { a, b, fleet } = core
    const [actions, isr] = [routeOf('actions'), routeOf('isr')]
    await render(core, a, actions.path('authored'))
    await render(core, a, isr.path('authored'))
    expect(await fleet.origin.publish('authored')).toBe(2)

    const answer = await a.postAction('/actions/authored', 'updateTag', { tag: 'content:authored' })
    expect(answer.facts['actions']?.version).toBe(2)
    await fleet.settled()

    const onB = await b.visit('/actions/authored')
    expect(onB.facts['actions']?.version).toBe(2)
    await fleet.settled()
    expect((await a.visit('/actions/authored')).facts['actions']?.serial).toBe(onB.facts['actions']?.serial)
    // As in stock: what was made within the action's own request may be as old as the invalidation, and made again.
    expect(await fleet.origin.renders('actions', 'authored')).toBeLessThanOrEqual(3)
    const page = await b.visit('/isr/authored')
    expectCache(page, isr, 'MISS')
    expect(page.facts['isr']?.version).toBe(2)
  })

  test("revalidateTag 'max' in an action: B shows the old version once", async () => {
    const core = getCore()
    const { a, b, fleet } = core
    const isr = routeOf('isr')
    await render(core, a, isr.path('edited'))
    await fleet.origin.publish('edited')
    await a.postAction('/actions/edited', 'revalidateTag', { tag: 'content:edited', profile: 'max' })
    const stale = await visitStale(core, b, isr, 'edited')
    expectCache(stale, isr, 'STALE')
    expect(stale.facts['isr']?.version).toBe(1)
    const fresh = await b.visit(isr.path('edited'))
    expectCache(fresh, isr, 'HIT')
    expect(fresh.facts['isr']?.version).toBe(2)
  })

  test('revalidatePath in an action: B renders anew', async () => {
    const core = getCore()
    const { a, b, fleet } = core
    const isr = routeOf('isr')
    await render(core, a, isr.path('pathed'))
    await fleet.origin.publish('pathed')
    await a.postAction('/actions/pathed', 'revalidatePath', { path: isr.path('pathed') })
    const onB = await b.visit(isr.path('pathed'))
    expectCache(onB, isr, 'MISS')
    expect(onB.facts['isr']?.version).toBe(2)
  })
}
