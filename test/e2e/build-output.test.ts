import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Fleet, type Replica, startFleet } from '../support/e2e-fleet'
import { type Answer, type PreparedApp, prepareApp, until } from '../support/e2e-tools'
import { cells } from './cells'
import { type CachedRoute, routesOf } from './core/routes'

const IDS = Array.from({ length: 10 }, (_, index) => `p${index + 1}`)
/** Of these ten pages each are prerendered: fifty in all. */
const READERS = ['isr', 'plain', 'ppr', 'forever', 'legacy', 'api-cached']
const hour = 3_600_000

interface Page {
  readonly route: CachedRoute
  readonly id: string
  readonly path: string
}

// After a deploy nobody waits for a render of what the build has rendered.
describe.each(cells.filter(({ minor, manager }) => minor === '16.4' && manager === 'npm'))(
  '$name',
  (cell) => {
    const routes = routesOf(cell.variant).filter(({ reader }) => READERS.includes(reader))
    const pages = routes.flatMap((route) => IDS.map((id): Page => ({ route, id, path: route.path(id) })))
    let app: PreparedApp
    let fleet: Fleet

    beforeAll(async () => {
      const { choice } = cell
      app = await prepareApp({ ...choice, env: { ...choice.env, STORE_PRERENDER: String(IDS.length) } })
      expect(pages).toHaveLength(50)
    })
    afterEach(() => fleet.stop())

    /** Without a standalone build, so that both ways to start are seen. */
    async function start(name: string, env: Record<string, string> = {}): Promise<Replica> {
      const standalone = cell.variant === 'components' ? { standalone: await fleet.standalone(app) } : {}
      return fleet.start({ name, app, ...standalone, env })
    }

    /** What a fleet leaves that was set up a day ago, and has invalidated nothing since. */
    async function stateOfYesterday(): Promise<void> {
      const now = Date.now()
      const clock = String((now - 24 * hour) * 1000)
      const fields = ['clock', clock, 'floor', clock, 'incarnation', 'yesterday', 'alive', String(now * 1000)]
      await fleet.redis.command('HSET', `${cell.keyPrefix}:tags`, ...fields)
    }

    const visitAll = (replica: Replica, some = pages): Promise<Answer[]> =>
      Promise.all(some.map(({ path }) => replica.visit(path)))
    const madeBy = (answers: Answer[], some = pages) =>
      answers.map(({ facts }, index) => facts[some[index]!.route.reader]?.replica)
    const cachesOf = (answers: Answer[], some = pages) =>
      answers.filter((_, index) => some[index]!.route.tellsCache).map(({ cache }) => cache)
    const rendersOf = ({ route, id }: Page) => fleet.origin.renders(route.reader, id)

    test('a tag state that is older than the build: hits, and not one render', async () => {
      fleet = await startFleet()
      await stateOfYesterday()
      for (const name of ['a', 'b']) {
        const replica = await start(name)
        const answers = await visitAll(replica)
        expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
        expect(new Set(madeBy(answers))).toEqual(new Set(['build']))
        expect(new Set(cachesOf(answers))).toEqual(new Set(['HIT']))
        // And so they stay, now out of Redis.
        await fleet.settled(pages.length - 1)
        const again = await visitAll(replica)
        expect(new Set(madeBy(again))).toEqual(new Set(['build']))
        expect(new Set(cachesOf(again))).toEqual(new Set(['HIT']))
        expect((await replica.visit('/')).cache).toBe('HIT')
        const missing = await replica.visit('/no-such-page')
        expect(missing.status).toBe(404)
      }
      expect((await fleet.origin.counts()).counts).toEqual({})
    })

    test('an empty Redis: nobody waits for a render, and each page is refreshed once, fleet-wide', async () => {
      fleet = await startFleet()
      const replicas: Replica[] = []
      for (const name of ['a', 'b', 'c']) replicas.push(await start(name))
      for (const route of routes) {
        const some = pages.filter((page) => page.route === route)
        for (const id of IDS) await fleet.origin.closeGate(id)
        // No render can end before the gates open.
        const all = await Promise.all(replicas.map((replica) => visitAll(replica, some)))
        for (const answers of all) expect(new Set(madeBy(answers, some))).toEqual(new Set(['build']))
        const told = IDS.map((_, index) => all.map((answers) => answers[index]?.cache))
        if (route.tellsCache)
          for (const caches of told) expect(caches.toSorted()).toEqual(['HIT', 'HIT', 'STALE'])
        for (const id of IDS) await fleet.origin.openGate(id)
        for (const replica of replicas)
          await until(
            async () => madeBy(await visitAll(replica, some), some).every((name) => name !== 'build'),
            { what: `the refreshed pages of ${route.reader}`, everyMs: 100 },
          )
        for (const page of some) expect([page.path, await rendersOf(page)]).toEqual([page.path, 1])
      }
    })

    test('what was invalidated since the build began is not served by a replica that starts then', async () => {
      fleet = await startFleet()
      await stateOfYesterday()
      const previous = await start('previous', { DISTRIBUTED_CACHE_NAMESPACE: 'previous' })
      const a = await start('a')
      await fleet.origin.publish('p1')
      await fleet.origin.publish('p2')
      await previous.revalidateTag('content:p1')
      await a.revalidateTag('content:p2')
      await previous.revalidateTag('content:p3', 'max')
      const b = await start('b')
      const tagged = pages.filter(({ route }) => route.tagged)
      const some = tagged.filter(({ id }) => ['p1', 'p2', 'p3', 'p4'].includes(id))
      const answers = await visitAll(b, some)
      for (const [index, { id, route, path }] of some.entries()) {
        const { facts, cache } = answers[index]!
        const { replica, version } = facts[route.reader]!
        const invalidated = id === 'p1' || id === 'p2'
        expect([path, replica, version]).toEqual([path, ...(invalidated ? ['b', 2] : ['build', 1])])
        // A profile allows to serve it once more.
        const expected = { p1: 'MISS', p2: 'MISS', p3: 'STALE', p4: 'HIT' }[id]
        if (route.tellsCache) expect([path, cache]).toEqual([path, expected])
      }
      for (const page of some.filter(({ id }) => id === 'p3')) {
        await until(async () => madeBy([await b.visit(page.path)], [page])[0] === 'b', {
          what: `the refreshed ${page.path}`,
        })
        expect(await rendersOf(page)).toBe(1)
      }
      const untagged = pages.filter(({ route }) => !route.tagged)
      expect(new Set(madeBy(await visitAll(b, untagged), untagged))).toEqual(new Set(['build']))
    })
  },
)
