import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Fleet, type Replica, startFleet } from '../support/e2e-fleet'
import { type Answer, type AppChoice, prepareApp, until } from '../support/e2e-tools'

/** What a crowd asks for, and who answers for it at the origin. */
interface Route {
  readonly reader: string
  readonly path: (id: string) => string
  /** Concurrent requests for each replica. */
  readonly crowd: number
}

const REPLICAS = ['a', 'b', 'c', 'd', 'e']
const CACHED_RESPONSE = 50
/**
 * Dynamic pages render for every request, and five servers share the two cores of a small machine: a process that cannot
 * run for as long as its lease lives is taken for dead, and the entry is generated once more.
 */
const DYNAMIC_PAGE = 8

const variants: { variant: AppChoice['variant']; routes: Route[]; timed: Route[] }[] = [
  {
    variant: 'components',
    routes: [
      { reader: 'isr', path: (id) => `/isr/${id}`, crowd: CACHED_RESPONSE },
      { reader: 'local', path: (id) => `/local/${id}`, crowd: DYNAMIC_PAGE },
      { reader: 'remote', path: (id) => `/remote/${id}`, crowd: DYNAMIC_PAGE },
      { reader: 'api-cached', path: (id) => `/api/cached/${id}`, crowd: CACHED_RESPONSE },
    ],
    timed: [{ reader: 'timed', path: (id) => `/timed/${id}`, crowd: CACHED_RESPONSE }],
  },
  {
    variant: 'classic',
    routes: [
      { reader: 'isr', path: (id) => `/isr/${id}`, crowd: CACHED_RESPONSE },
      { reader: 'forever', path: (id) => `/forever/${id}`, crowd: CACHED_RESPONSE },
      { reader: 'fetch', path: (id) => `/fetch/${id}`, crowd: DYNAMIC_PAGE },
      { reader: 'memo', path: (id) => `/memo/${id}`, crowd: DYNAMIC_PAGE },
      { reader: 'api-cached', path: (id) => `/api/cached/${id}`, crowd: CACHED_RESPONSE },
    ],
    timed: [{ reader: 'timed', path: (id) => `/timed/${id}`, crowd: CACHED_RESPONSE }],
  },
]

// Ten servers' worth of work on two cores: where anything else runs beside it, a leader may be taken for dead. So this is
// run by hand on a quiet machine (`NDC_CROWD=1 npm test -- e2e -- crowd`); the same is proven without Next, and in every
// run, by test/integration/single-flight.test.ts.
describe.runIf(process.env['NDC_CROWD'] === '1').each(variants)(
  'a crowd on five replicas, $variant',
  ({ variant, routes, timed }) => {
    describe.each(['strict', 'l1-pubsub'])('%s', (preset) => {
      let fleet: Fleet
      let replicas: Replica[]

      beforeAll(async () => {
        const app = await prepareApp({
          variant,
          bundler: 'turbopack',
          manager: 'npm',
          next: '~16.4.0',
          driver: 'ioredis',
        })
        fleet = await startFleet()
        const standalone = await fleet.standalone(app)
        const env = { DISTRIBUTED_CACHE_PRESET: preset, DISTRIBUTED_CACHE_DEBUG: '1' }
        replicas = []
        for (const name of REPLICAS) replicas.push(await fleet.start({ name, app, standalone, env }))
      })
      afterAll(() => fleet.stop())

      const crowd = (route: Route, id: string, among = replicas): Promise<Answer[]> =>
        Promise.all(
          among.flatMap((replica) =>
            Array.from({ length: route.crowd }, () => replica.visit(route.path(id))),
          ),
        )
      const versions = (answers: Answer[], reader: string) =>
        new Set(answers.map(({ facts }) => facts[reader]?.version))
      const rendersSince = async (route: Route, id: string, before: number) =>
        (await fleet.origin.renders(route.reader, id)) - before

      async function untilAllShow(route: Route, id: string, version: number): Promise<void> {
        for (const replica of replicas) {
          await until(
            async () => (await replica.visit(route.path(id))).facts[route.reader]?.version === version,
            {
              what: `${replica.name} to show version ${version} of ${route.path(id)}`,
            },
          )
        }
      }

      test.each(routes)('$reader: cold, 1 render', async (route) => {
        const id = `cold-${route.reader}`
        await fleet.origin.delay(id, 150)
        const answers = await crowd(route, id)
        expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
        expect(versions(answers, route.reader).size).toBe(1)
        expect(await fleet.origin.renders(route.reader, id)).toBe(1)
      })

      test.each(routes)("$reader: after revalidateTag 'max', 1 render, and nobody waits", async (route) => {
        const id = `soft-${route.reader}`
        const first = (await replicas[0]?.visit(route.path(id)))?.facts[route.reader]?.version as number
        await untilAllShow(route, id, first)
        const version = await fleet.origin.publish(id)
        const before = await fleet.origin.renders(route.reader, id)
        await fleet.origin.closeGate(id)
        await replicas[0]?.revalidateTag(`content:${id}`, 'max')
        // The origin holds its answer: whoever waited for the render would never be answered.
        const answers = await crowd(route, id)
        expect(versions(answers, route.reader)).toEqual(new Set([first]))
        await fleet.origin.openGate(id)
        await untilAllShow(route, id, version)
        expect(await rendersSince(route, id, before)).toBe(1)
      })

      test.each(routes)('$reader: after a hard invalidation, 1 render', async (route) => {
        const id = `hard-${route.reader}`
        const first = (await replicas[0]?.visit(route.path(id)))?.facts[route.reader]?.version as number
        await untilAllShow(route, id, first)
        const version = await fleet.origin.publish(id)
        const before = await fleet.origin.renders(route.reader, id)
        await replicas[0]?.revalidateTag(`content:${id}`)
        await fleet.origin.delay(id, 150)
        await crowd(route, id)
        await untilAllShow(route, id, version)
        expect(await rendersSince(route, id, before)).toBe(1)
      })

      test.each(timed)('$reader: stale by time, 1 render', async (route) => {
        const id = 'old'
        const first = (await replicas[0]?.visit(route.path(id)))?.facts[route.reader]?.version as number
        await untilAllShow(route, id, first)
        const before = await fleet.origin.renders(route.reader, id)
        await fleet.origin.closeGate(id)
        const version = await fleet.origin.publish(id)
        // Two seconds old, as soon as somebody notices.
        await until(
          async () => {
            await replicas[1]?.visit(route.path(id))
            return (await fleet.origin.renders(route.reader, id)) > before
          },
          { what: 'the entry to be old' },
        )
        const answers = await crowd(route, id)
        expect(versions(answers, route.reader)).toEqual(new Set([first]))
        expect(await rendersSince(route, id, before)).toBe(1)
        await fleet.origin.openGate(id)
        // It goes on growing old every two seconds; what counts is that everybody moved on.
        await untilAllShow(route, id, version)
      })

      test('a leader that is killed in the middle of its render: everybody is answered, 1 further render', async () => {
        const route = routes[0] as Route
        const id = 'killed'
        await fleet.origin.closeGate(id)
        const leader = replicas.at(-1) as Replica
        const lost = leader.visit(route.path(id)).catch(() => undefined)
        await fleet.origin.untilHeld(id)
        const others = replicas.slice(0, -1)
        const answers = crowd(route, id, others)
        process.kill(leader.pid, 'SIGKILL')
        await lost
        const killedAt = performance.now()
        // The next leader asks the origin as soon as the lease of the dead one has expired.
        await fleet.origin.untilHeld(id, 2)
        expect(performance.now() - killedAt).toBeLessThan(2_000 + 1_000)
        await fleet.origin.openGate(id)
        expect(versions(await answers, route.reader).size).toBe(1)
        expect(await fleet.origin.renders(route.reader, id)).toBe(2)
      })
    })
  },
)
