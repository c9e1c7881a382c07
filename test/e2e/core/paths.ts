import { expect, test } from 'vitest'
import { type Core, contentOf, expectCache, type GetCore, render } from './context'
import { routeOf } from './routes'

/** Renders every path on A and gives all of them a new version. */
async function warmAndPublish({ fleet, ...core }: Core, paths: Readonly<Record<string, string>>) {
  for (const path of Object.values(paths)) await render({ fleet, ...core }, core.a, path)
  for (const id of Object.keys(paths)) await fleet.origin.publish(id)
}

/** The version of every path on B. */
async function versionsOn({ b }: Core, reader: string, paths: Readonly<Record<string, string>>) {
  const versions: Record<string, number | undefined> = {}
  for (const [id, path] of Object.entries(paths)) versions[id] = (await b.visit(path)).facts[reader]?.version
  return versions
}

/** Invalidated by path on A, read on B. */
export function testPaths(getCore: GetCore): void {
  test('revalidatePath of a page: that page alone', async () => {
    const core = getCore()
    const paths = { leaf: '/plain/leaf', 'leaf-2': '/plain/leaf-2' }
    await warmAndPublish(core, paths)
    await core.a.control({ action: 'revalidatePath', path: '/plain/leaf' })
    expect(await versionsOn(core, 'plain', paths)).toEqual({ leaf: 2, 'leaf-2': 1 })
  })

  test('revalidatePath of a page: what it fetched goes with it', async () => {
    const core = getCore()
    const paths = { whole: '/shop/whole/whole' }
    await warmAndPublish(core, paths)
    await core.a.control({ action: 'revalidatePath', path: '/shop/whole/whole' })
    expect(await versionsOn(core, 'shop', paths)).toEqual({ whole: 2 })
  })

  test('revalidatePath of a dynamic route: all of its pages', async () => {
    const core = getCore()
    const paths = { dynamic: '/plain/dynamic', 'dynamic-2': '/plain/dynamic-2' }
    const bystander = { 'dynamic-3': '/isr/dynamic-3' }
    await warmAndPublish(core, { ...paths, ...bystander })
    await core.a.control({ action: 'revalidatePath', path: '/(store)/plain/[id]', type: 'page' })
    expect(await versionsOn(core, 'plain', paths)).toEqual({ dynamic: 2, 'dynamic-2': 2 })
    expect(await versionsOn(core, 'isr', bystander)).toEqual({ 'dynamic-3': 1 })
  })

  test('revalidatePath of a layout: every page below it, and no other', async () => {
    const core = getCore()
    const paths = { laid: '/shop/laid-a/laid', 'laid-2': '/shop/laid-b/laid-2' }
    const bystander = { 'laid-3': '/plain/laid-3' }
    await warmAndPublish(core, { ...paths, ...bystander })
    await core.a.control({ action: 'revalidatePath', path: '/(store)/shop/[category]', type: 'layout' })
    expect(await versionsOn(core, 'shop', paths)).toEqual({ laid: 2, 'laid-2': 2 })
    expect(await versionsOn(core, 'plain', bystander)).toEqual({ 'laid-3': 1 })
  })

  test('revalidatePath of a route handler', async () => {
    const core = getCore()
    const paths = { handled: '/api/cached/handled' }
    await warmAndPublish(core, paths)
    await core.a.control({ action: 'revalidatePath', path: '/api/cached/handled' })
    expect(await versionsOn(core, 'api-cached', paths)).toEqual({ handled: 2 })
  })

  test('res.revalidate: A renders at once, B serves that render', async () => {
    const core = getCore()
    const { a, b, fleet } = core
    const legacy = routeOf('legacy')
    await render(core, a, legacy.path('demanded'))
    await fleet.origin.publish('demanded')
    await a.revalidateLegacy(legacy.path('demanded'))
    expect(await fleet.origin.renders('legacy', 'demanded')).toBe(2)
    const onB = await b.visit(legacy.path('demanded'))
    expectCache(onB, legacy, 'HIT')
    expect(contentOf(onB, legacy)).toMatchObject({ version: 2 })
    expect(contentOf(await a.visit(legacy.path('demanded')), legacy)).toEqual(contentOf(onB, legacy))
  })

  test('res.revalidate: a missing page that was published is found on B', async () => {
    const core = getCore()
    const { a, b, fleet } = core
    const path = routeOf('legacy').path('absent-demanded')
    expect((await a.visit(path)).status).toBe(404)
    await fleet.origin.publish('absent-demanded')
    await a.revalidateLegacy(path)
    const found = await b.visit(path)
    expect(found.status).toBe(200)
    expect(found.facts['legacy']?.version).toBe(1)
  })
}
