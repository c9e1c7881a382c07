import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import type { Fleet, Replica } from '../../support/e2e-fleet'
import { type Answer, until } from '../../support/e2e-tools'
import type { Cell } from '../cells'
import type { CachedRoute } from './routes'

/** What every test of the core has at hand: two replicas of one build. */
export interface Core {
  readonly cell: Cell
  readonly fleet: Fleet
  readonly a: Replica
  readonly b: Replica
}

/** Read when the test runs: the replicas are started by a hook. */
export type GetCore = () => Core

/** What identifies the content of an answer: which answer of the origin, and which execution, it shows. */
export function contentOf(answer: Answer, { reader, keepsRender }: CachedRoute) {
  const facts = answer.facts[reader]
  if (facts === undefined)
    throw new Error(`No facts of ${reader} in an answer ${answer.status}:\n${answer.body.slice(0, 500)}`)
  const { version, serial, render } = facts
  return keepsRender ? { version, serial, render } : { version, serial }
}

/** Where Next says so, that the answer came out of the cache or did not. */
export function expectCache(answer: Answer, route: CachedRoute, state: 'HIT' | 'STALE' | 'MISS'): void {
  if (route.tellsCache) expect(answer.cache).toBe(state)
}

/** A visit that renders: what the page and its functions store has arrived in Redis when this resolves. */
export async function render({ fleet }: Core, who: Replica, path: string): Promise<Answer> {
  const before = await fleet.writes()
  const answer = await who.visit(path)
  await fleet.settled(before)
  return answer
}

/** A visit that is answered from a stale entry: its refresh in the background is over when this resolves. */
export async function visitStale(core: Core, who: Replica, route: CachedRoute, id: string): Promise<Answer> {
  const { fleet } = core
  const renders = await fleet.origin.renders(route.reader, id)
  const before = await fleet.writes()
  const answer = await who.visit(route.path(id))
  await refreshed(core, who, route, id, { renders, writes: before, shown: contentOf(answer, route) })
  return answer
}

interface Before {
  readonly renders: number
  readonly writes: number
  readonly shown: unknown
}

/** Waits for a refresh in the background. */
export async function refreshed(
  { fleet }: Core,
  who: Replica,
  route: CachedRoute,
  id: string,
  before: Before,
) {
  await until(async () => (await fleet.origin.renders(route.reader, id)) > before.renders, {
    what: `a refresh of ${route.reader} ${id}`,
    limitMs: 10_000,
    everyMs: 25,
  })
  // Visits to a page that is being refreshed start no second refresh in the same process; a fetch might.
  if (route.isResponse)
    await until(
      async () => !isDeepStrictEqual(contentOf(await who.visit(route.path(id)), route), before.shown),
      {
        what: `the refreshed ${route.reader} ${id}`,
        limitMs: 10_000,
        everyMs: 25,
      },
    )
  else await fleet.settled(before.writes)
}
