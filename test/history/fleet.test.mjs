import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startBareFleet, versionsOf } from './bare-fleet.mjs'
import { findFaketime } from './clock-skew.mjs'
import { compilePackage } from './compile.mjs'
import { until } from '../../scripts/lib/processes.mjs'
import { YEAR } from './workload.mjs'

// Five processes, fifty requests each: a page, a function, a fetch. One of them renders.
const CROWD = 50
const RENDER_MS = 400
/** A machine that does ten things at once is late. */
const LATE_MS = 1_000
/** Longer than anybody needs to notice. */
const DEAF_MS = 60_000
/** What Next gives a page without a time of its own after a failed refresh, less what times are rounded by. */
const NEXT_RETRY_MS = 3_000 - 250

let compiled
let library
beforeAll(async () => {
  compiled = await compilePackage()
  library = await findFaketime()
})
afterAll(() => compiled?.remove())

/** Kind, route and the unit whose renders count; `stale`: one with a life of four seconds. */
const KINDS = [
  { kind: 'page', type: 'page', route: 'p2', unit: 'p2', stale: { route: 'p4', unit: 'p4' } },
  { kind: 'use cache', type: 'dynamic', route: 'd3', unit: 'g0', stale: { route: 'd4', unit: 'g1' } },
  { kind: 'fetch', type: 'dynamic', route: 'd5', unit: 'x0', stale: { route: 'd6', unit: 'x1' } },
]

describe.each([
  { preset: 'strict', driver: 'ioredis', minutes: [0] },
  { preset: 'l1-pubsub', driver: 'redis', minutes: [0] },
  { preset: 'strict', driver: 'redis', minutes: [-10, 0, 10] },
  { preset: 'l1-pubsub', driver: 'ioredis', minutes: [-10, 0, 10] },
])('five processes, $preset, $driver, clocks at $minutes minutes', ({ preset, driver, minutes }) => {
  let fleet
  const isSkewed = minutes.length > 1

  beforeAll(async () => {
    if (isSkewed && library === undefined) return
    const skew = isSkewed ? { library, minutes } : undefined
    fleet = await startBareFleet({
      count: 5,
      dist: compiled.directory,
      preset,
      driver,
      renderMs: RENDER_MS,
      skew,
    })
  })
  afterAll(() => fleet?.close())

  const needsFleet = (test) => async (context) => {
    if (fleet === undefined) return context.skip('libfaketime is not installed')
    await test()
  }
  const rendersDuring = async (unit, work) => {
    const before = fleet.origin.rendersOf(unit)
    const result = await work()
    await fleet.idle()
    return { renders: fleet.origin.rendersOf(unit) - before, result }
  }
  /** Until every replica serves the newest version without a render: nothing is stale, masked or on its way. */
  async function untilSettled(type, route, unit) {
    const newest = fleet.origin.current(unit)
    for (const replica of fleet.replicas) {
      const isSettled = async () => {
        const { answers } = await fleet.get(replica, type, route)
        await fleet.idle()
        const isFresh = answers.every(({ status, life }) => status === 'fresh' && life !== 2)
        return isFresh && versionsOf(unit, [{ answers }])[0] === newest
      }
      await until(isSettled, { what: `${replica.name} to serve ${unit} at version ${newest}`, everyMs: 20 })
    }
  }

  describe.each(KINDS)('$kind', ({ type, route, unit, stale }) => {
    it(
      'cold: one render, for everybody',
      needsFleet(async () => {
        const { renders, result } = await rendersDuring(unit, () => fleet.crowd(type, route, CROWD))
        expect(renders).toBe(1)
        expect(versionsOf(unit, result)).toEqual([fleet.origin.current(unit)])
      }),
    )

    it(
      'after a soft invalidation: one render, and nobody waits',
      needsFleet(async () => {
        await untilSettled(type, route, unit)
        const old = fleet.origin.current(unit)
        const { renders, result } = await rendersDuring(unit, async () => {
          await fleet.change(fleet.replicas[0], unit, unit, YEAR)
          // What has been answered before the render ended was not waiting for it.
          const leader = fleet.nextRender(unit)
          const crowd = await fleet.crowd(type, route, CROWD)
          await leader
          return crowd
        })
        expect(renders).toBe(1)
        expect(versionsOf(unit, result)).toContain(old)
        await untilSettled(type, route, unit)
        expect(fleet.origin.rendersOf(unit)).toBeGreaterThan(1)
      }),
    )

    it(
      'after a hard invalidation: one render, and nobody gets the old one',
      needsFleet(async () => {
        await untilSettled(type, route, unit)
        const { renders, result } = await rendersDuring(unit, async () => {
          await fleet.change(fleet.replicas[1], unit, unit)
          return fleet.crowd(type, route, CROWD)
        })
        expect(renders).toBe(1)
        expect(versionsOf(unit, result)).toEqual([fleet.origin.current(unit)])
      }),
    )

    it(
      'past its revalidate time: one render',
      needsFleet(async () => {
        await fleet.get(fleet.replicas[0], type, stale.route)
        await fleet.idle()
        await new Promise((resolve) => setTimeout(resolve, 4_200))
        fleet.origin.bump(stale.unit)
        const { renders } = await rendersDuring(stale.unit, () => fleet.crowd(type, stale.route, CROWD))
        expect(renders).toBe(1)
      }),
    )

    it(
      'a leader that is killed in the middle of its render: one more, and nobody waits two seconds longer for it',
      needsFleet(async () => {
        await untilSettled(type, route, unit)
        const { renders } = await rendersDuring(unit, async () => {
          await fleet.change(fleet.replicas[2], unit, unit)
          const [victim, ...others] = fleet.replicas
          const leading = fleet.nextRender(unit)
          const lost = fleet.get(victim, type, route)
          expect(await leading).toBe(victim)
          const crowd = fleet.crowd(type, route, CROWD, others)
          const killedAt = performance.now()
          await victim.kill()
          expect((await lost).lost).toBe(true)
          const answers = await crowd
          const lastMs = Math.max(...answers.map(({ doneAt }) => doneAt)) - killedAt
          expect(lastMs).toBeLessThan(2_000 + RENDER_MS + LATE_MS)
          expect(versionsOf(unit, answers)).toEqual([fleet.origin.current(unit)])
          await victim.restart()
        })
        expect(renders).toBe(2)
      }),
    )
  })

  it(
    'three reads after a soft invalidation of what a page contains: old, new, new',
    needsFleet(async () => {
      await untilSettled('page', 'p0', 'g0')
      await fleet.change(fleet.replicas[3], 'g0', 'g0', YEAR)
      const [first, second, third] = [fleet.replicas[1], fleet.replicas[2], fleet.replicas[4]]
      const newest = fleet.origin.current('g0')
      const seen = []
      for (const replica of [first, second, third]) {
        const { answers } = await fleet.get(replica, 'page', 'p0')
        seen.push([answers[0].status, versionsOf('g0', [{ answers }])])
        await fleet.idle()
      }
      expect(seen).toEqual([
        ['stale', [newest - 1]],
        ['fresh', [newest]],
        ['fresh', [newest]],
      ])
    }),
  )

  it(
    'what one replica revalidates on demand shows on all, although the message is lost',
    needsFleet(async () => {
      await untilSettled('page', 'p2', 'p2')
      const [author, ...others] = fleet.replicas
      const newest = fleet.origin.bump('p2')
      for (const { proxy } of others) proxy.deafen(DEAF_MS)
      const before = others.map(({ proxy }) => proxy.taken)
      const { stored } = await fleet.publish(author, 'p2')
      expect(stored).toBe(true)
      const renders = fleet.origin.rendersOf('p2')
      for (const [index, replica] of others.entries()) {
        const shown = async () => versionsOf('p2', [await fleet.get(replica, 'page', 'p2')])[0]
        if (preset === 'strict') expect(await shown()).toBe(newest)
        else {
          await until(async () => (await shown()) === newest, {
            what: `${replica.name} to notice`,
            everyMs: 20,
          })
          expect(replica.proxy.taken).toBeGreaterThan(before[index])
        }
        replica.proxy.heal()
      }
      expect(fleet.origin.rendersOf('p2')).toBe(renders)
    }),
  )

  it(
    'an origin that fails is asked once in the time that Next gives it, and the last good page stays',
    needsFleet(async () => {
      await untilSettled('page', 'p2', 'p2')
      const good = fleet.origin.current('p2')
      const attempts = []
      fleet.onEachRender((unit) => {
        if (unit === 'p2') attempts.push(performance.now())
      })
      fleet.failing.add('p2')
      await fleet.change(fleet.replicas[1], 'p2', 'p2', YEAR)
      await until(
        async () => {
          const answers = await fleet.crowd('page', 'p2', 2)
          expect(versionsOf('p2', answers)).toEqual([good])
          return attempts.length >= 2
        },
        { what: 'a second attempt', everyMs: 50 },
      )
      expect(attempts[1] - attempts[0]).toBeGreaterThan(NEXT_RETRY_MS)
      fleet.failing.delete('p2')
      fleet.onEachRender(() => {})
      await untilSettled('page', 'p2', 'p2')
      expect(fleet.origin.current('p2')).toBe(good + 1)
    }),
  )
})
