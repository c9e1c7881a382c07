// When traffic and faults have stopped, every replica serves the newest content, in pages and in what they contain.
import { carriersOf, DYNAMIC_ROUTES, PAGES, TAGS, UNIT_NAMES, YEAR } from './workload.mjs'

/** A mask lives two seconds, and what inherited its life is refreshed by whoever asks next. */
const HEAL_MS = 6_000
/** Nothing old comes back once everything was new. */
const WATCH_MS = 3_000
const EVERY_MS = 250

/**
 * @param {{ replicas: object[], origin: object, report: (text: string) => void,
 *   request: (replica: object, type: string, route: string, shared: boolean) => Promise<object>,
 *   invalidate: (replica: object, tags: string[], windowMs: number | undefined, units: string[]) => Promise<void> }} parts
 */
export async function checkQuiescence({ replicas, origin, request, invalidate, report }) {
  const routes = [
    ...PAGES.map((route) => ['page', route]),
    ...Object.keys(DYNAMIC_ROUTES).map((route) => ['dynamic', route]),
  ]
  const everywhere = () =>
    Promise.all(
      replicas.flatMap((replica) =>
        routes.map(async ([type, route]) => ({
          replica: replica.name,
          route,
          ...(await request(replica, type, route, true)),
        })),
      ),
    )
  // Replicas reconnect and invalidations that waited go out before anything is expected of anybody.
  const reachable = async () => (await everywhere()).every(({ error, lost }) => !error && !lost)
  await untilTrue(reachable, HEAL_MS)
  // Profiles that never expire, under load: page and function carry the same tag, and nobody ever has to wait.
  for (const unit of UNIT_NAMES) origin.bump(unit)
  const load = everywhere()
  await Promise.all(
    TAGS.map((tag, index) =>
      invalidate(replicas[index % replicas.length], [tag], YEAR * 1000, carriersOf(tag)),
    ),
  )
  await load
  await everywhere()
  await idle(replicas)

  let old = []
  const isNew = async () => {
    old = outdated(await everywhere(), origin)
    await idle(replicas)
    return old.length === 0
  }
  if (!(await untilTrue(isNew, HEAL_MS))) {
    report(`quiescence: still old ${HEAL_MS} ms after traffic and faults ended:\n  ${old.join('\n  ')}`)
    return
  }
  const until = performance.now() + WATCH_MS
  while (performance.now() < until) {
    if (!(await isNew())) {
      report(`quiescence: everything was new, and then old again:\n  ${old.join('\n  ')}`)
      return
    }
    await pause(EVERY_MS)
  }
}

function outdated(responses, origin) {
  const old = []
  for (const { replica, route, error, lost, answers = [] } of responses) {
    if (error || lost) old.push(`${replica} ${route}: ${error ?? 'no answer'}`)
    for (const { unit, status, life, items } of answers) {
      for (const [path, name, v] of items) {
        const newest = origin.current(name)
        if (v < newest)
          old.push(
            `${replica} ${route}: ${path} at version ${v}, not ${newest} (${unit} ${status}, life ${life})`,
          )
      }
    }
  }
  return old.length > 10 ? [...old.slice(0, 10), `and ${old.length - 10} more`] : old
}

async function idle(replicas) {
  await Promise.all(
    replicas.map((replica, index) => replica.ask({ type: 'idle', id: `idle-${index}-${Math.random()}` })),
  )
}

async function untilTrue(probe, limitMs) {
  const deadline = performance.now() + limitMs
  while (performance.now() < deadline) {
    if (await probe()) return true
    await pause(EVERY_MS)
  }
  return false
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
