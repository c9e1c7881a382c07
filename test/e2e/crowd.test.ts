import { afterAll, beforeAll, describe, expect, test } from 'vitest'
// @ts-ignore: no declarations
import * as clockSkew from '../history/clock-skew.mjs'
import { type Fleet, type Replica, startFleet } from '../support/e2e-fleet'
import { type Answer, type AppChoice, type PreparedApp, prepareApp, until } from '../support/e2e-tools'
import { findCell } from './cells'

const { findFaketime, skewedEnv } = clockSkew as {
  findFaketime(): Promise<string | undefined>
  skewedEnv(library: string, minutes: number): Record<string, string>
}

/** What a crowd asks for, and who answers for it at the origin. */
interface Route {
  readonly reader: string
  readonly path: (id: string) => string
}

const route = (path: string, reader = path): Route => ({ reader, path: (id) => `/${path}/${id}` })

const VARIANTS: Record<AppChoice['variant'], Route[]> = {
  components: [
    route('isr'),
    route('local'),
    route('remote'),
    route('fetch'),
    route('api/cached', 'api-cached'),
  ],
  classic: [route('isr'), route('forever'), route('fetch'), route('memo'), route('api/cached', 'api-cached')],
}
/** Those that grow old by time: `timed-…`, and the page of that name. */
const isTimed = ({ reader }: Route): boolean => !['isr', 'forever'].includes(reader)

/**
 * In full, `NDC_CROWD=1 npm test -- e2e -- crowd`: five replicas, fifty requests each, both presets. Ten servers' worth of
 * work on two cores: where anything else runs beside it, a leader that cannot run for as long as its lease lives is
 * taken for dead, rightly. The short form leaves room for that.
 */
const IS_FULL = process.env['NDC_CROWD'] === '1'
const REPLICAS = IS_FULL ? ['a', 'b', 'c', 'd', 'e'] : ['a', 'b', 'c']
const CROWD = IS_FULL ? 50 : 6
/** `NDC_SKEW=1`: every clock of these processes is that many minutes off. */
const SKEW_MINUTES = process.env['NDC_SKEW'] === '1' ? [-10, 0, 10] : [0]
/** Longer than any render here takes, shorter than a leader that does not answer is waited for. */
const RENDER_MS = 150
/** The next leader asks the origin once the lease of the dead one has expired; the rest is a slow machine's. */
const REPLACED_WITHIN_MS = 2_000 + 1_000

const crowds = (['components', 'classic'] as const)
  .flatMap((variant) => {
    const cell = findCell({ minor: '16.4', variant })
    return cell === undefined
      ? []
      : (['strict', 'l1-pubsub'] as const).map((preset) => ({ variant, preset, cell }))
  })
  .filter(({ variant, preset }) => IS_FULL || (variant === 'components') === (preset === 'strict'))

describe.each(crowds)(
  `a crowd on ${REPLICAS.length} replicas, $variant, $preset`,
  ({ variant, preset, cell }) => {
    const routes = VARIANTS[variant]
    let app: PreparedApp
    let fleet: Fleet
    let standalone: string
    let replicas: Replica[]

    beforeAll(async () => {
      app = await prepareApp(cell.choice)
      const library = SKEW_MINUTES.length > 1 ? await findFaketime() : undefined
      if (SKEW_MINUTES.length > 1 && library === undefined) throw new Error('NDC_SKEW=1 needs libfaketime')
      fleet = await startFleet()
      standalone = await fleet.standalone(app)
      replicas = []
      for (const [index, name] of REPLICAS.entries()) {
        const minutes = SKEW_MINUTES[index % SKEW_MINUTES.length] ?? 0
        replicas.push(await startWarm(name, library === undefined ? {} : skewedEnv(library, minutes)))
      }
    })
    afterAll(() => fleet?.stop())

    /** A process that meets a route for the first time compiles it, for longer than a lease lives on a small machine. */
    async function startWarm(name: string, skew: Record<string, string> = {}): Promise<Replica> {
      const env = { DISTRIBUTED_CACHE_PRESET: preset, ...skew }
      const replica = await fleet.start({ name, app, standalone, env })
      for (const each of [...routes, route('timed')]) await replica.visit(each.path(`warm-${name}`))
      return replica
    }

    const crowd = (of: Route, id: string, among = replicas): Promise<Answer[]> =>
      Promise.all(among.flatMap((replica) => Array.from({ length: CROWD }, () => replica.visit(of.path(id)))))
    const versions = (answers: Answer[], reader: string) =>
      new Set(answers.map(({ facts }) => facts[reader]?.version))
    const rendersSince = async (of: Route, id: string, before: number) =>
      (await fleet.origin.renders(of.reader, id)) - before

    async function untilAllShow(of: Route, id: string, version: number): Promise<void> {
      for (const replica of replicas) {
        await until(async () => (await replica.visit(of.path(id))).facts[of.reader]?.version === version, {
          what: `${replica.name} to show version ${version} of ${of.path(id)}`,
        })
      }
    }

    /** The version that every replica serves of it. */
    async function shownByAll(of: Route, id: string): Promise<number> {
      const first = (await replicas[0]?.visit(of.path(id)))?.facts[of.reader]?.version as number
      await untilAllShow(of, id, first)
      return first
    }

    test.each(routes)('$reader: cold, 1 render', async (of) => {
      const id = `cold-${of.reader}`
      await fleet.origin.delay(id, RENDER_MS)
      const answers = await crowd(of, id)
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
      expect(versions(answers, of.reader).size).toBe(1)
      expect(await fleet.origin.renders(of.reader, id)).toBe(1)
    })

    test.each(routes)("$reader: after revalidateTag 'max', 1 render, and nobody waits", async (of) => {
      const id = `soft-${of.reader}`
      const first = await shownByAll(of, id)
      const version = await fleet.origin.publish(id)
      const before = await fleet.origin.renders(of.reader, id)
      await fleet.origin.closeGate(id)
      await replicas[0]?.revalidateTag(`content:${id}`, 'max')
      // The origin holds its answer: whoever waited for the render would never be answered.
      const answers = await crowd(of, id)
      expect(versions(answers, of.reader)).toEqual(new Set([first]))
      await fleet.origin.openGate(id)
      await untilAllShow(of, id, version)
      expect(await rendersSince(of, id, before)).toBe(1)
    })

    test.each(routes)('$reader: after a hard invalidation, 1 render', async (of) => {
      const id = `hard-${of.reader}`
      await shownByAll(of, id)
      const version = await fleet.origin.publish(id)
      const before = await fleet.origin.renders(of.reader, id)
      await replicas[0]?.revalidateTag(`content:${id}`)
      await fleet.origin.delay(id, RENDER_MS)
      await crowd(of, id)
      await untilAllShow(of, id, version)
      expect(await rendersSince(of, id, before)).toBe(1)
    })

    test.each([route('timed'), ...routes.filter(isTimed)])('$reader: stale by time, 1 render', async (of) => {
      const id = `timed-${of.reader}`
      const first = await shownByAll(of, id)
      const before = await fleet.origin.renders(of.reader, id)
      await fleet.origin.closeGate(id)
      const version = await fleet.origin.publish(id)
      // Two seconds old, as soon as somebody notices.
      await until(
        async () => {
          await replicas[1]?.visit(of.path(id))
          return (await rendersSince(of, id, before)) > 0
        },
        { what: 'the entry to be old' },
      )
      const answers = await crowd(of, id)
      expect(versions(answers, of.reader)).toEqual(new Set([first]))
      expect(await rendersSince(of, id, before)).toBe(1)
      await fleet.origin.openGate(id)
      // It goes on growing old every two seconds; what counts is that everybody moved on.
      await untilAllShow(of, id, version)
    })

    test.each(routes)(
      '$reader: a leader that is killed in the middle of its render: everybody is answered, 1 further render',
      async (of) => {
        const id = `killed-${of.reader}`
        await fleet.origin.closeGate(id)
        const leader = await startWarm('victim')
        const lost = leader.visit(of.path(id)).catch(() => undefined)
        await fleet.origin.untilHeld(id)
        const answers = crowd(of, id)
        process.kill(leader.pid, 'SIGKILL')
        await lost
        const killedAt = performance.now()
        await fleet.origin.untilHeld(id, 2)
        expect(performance.now() - killedAt).toBeLessThan(REPLACED_WITHIN_MS)
        await fleet.origin.openGate(id)
        expect(versions(await answers, of.reader).size).toBe(1)
        expect(await fleet.origin.renders(of.reader, id)).toBe(2)
      },
    )
  },
)
