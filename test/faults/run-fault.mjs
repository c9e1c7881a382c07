// One fault from beginning to end: healthy, faulted, over, recovered, judged.
import { heaps, openSockets, watchSockets } from './observe.mjs'
import { secondsToRecover } from './recovery.mjs'

/**
 * How long things may take. `full`: a table with times. `soak`: the same for hours. `short`: a test, which counts
 * and never measures.
 *
 * requests, healthyMs, faultedMs: the least that a phase sees
 * requestMs: a request that takes longer has no answer; over `budgetMs` it broke its budget by far
 * limitMs: recovery, and invalidations that wait for it
 * victims, checks: see `createInvalidations`
 */
export const PACES = {
  full: {
    perSecond: 20,
    requests: 60,
    healthyMs: 3_000,
    faultedMs: 5_000,
    requestMs: 30_000,
    budgetMs: 10_000,
    limitMs: 30_000,
    victims: 8,
    checks: 3,
  },
  soak: {
    perSecond: 20,
    requests: 40,
    healthyMs: 500,
    faultedMs: 3_000,
    requestMs: 30_000,
    budgetMs: 10_000,
    limitMs: 30_000,
    victims: 4,
    checks: 1,
  },
  short: {
    perSecond: 20,
    requests: 8,
    healthyMs: 0,
    faultedMs: 0,
    requestMs: 60_000,
    budgetMs: Infinity,
    limitMs: 60_000,
    victims: 4,
    checks: 1,
  },
}

/**
 * @param {import('./catalogue.mjs').Fault} fault
 * @param {{ arena: object, load: object, invalidations: object, pace: object }} parts
 */
export async function runFault(fault, { arena, load, invalidations, pace }) {
  const { requestMs, limitMs } = pace
  const problems = []
  const ready = await invalidations.prepare(limitMs)
  if (ready.old.length > 0) problems.push(`not ready: ${ready.old[0].text}`)
  const heapBefore = await heaps(arena)

  const healthy = load.enter()
  if (pace.healthyMs > 0) await load.lasts(pace.requests, pace.healthyMs)

  if (fault.atBoot) {
    await load.pause()
    await arena.stopReplicas()
  }
  const faulted = load.enter()
  const rendersBefore = await arena.renders()
  const begun = await fault.begin(arena)
  const { turn, end, restore } = typeof begun === 'function' ? { end: begun } : begun
  if (fault.atBoot) {
    await arena.startReplicas()
    load.resume()
  }
  const mostSockets = watchSockets(arena)
  try {
    // While nobody knows yet, and while it is known.
    await invalidations.issue(0, faulted.add)
    await turn?.()
    await load.lasts(pace.requests, pace.faultedMs)
    await invalidations.issue(1, faulted.add)
  } finally {
    await end()
  }
  const after = load.enter()
  const seconds = await secondsToRecover({ ...arena, limitMs, requestMs, count: after.add })
  const renders = (await arena.renders()) - rendersBefore
  const verdict = await invalidations.verify(limitMs)
  const sockets = { most: await mostSockets(), after: Math.max(...(await openSockets(arena))) }
  const heapAfter = await heaps(arena)

  await restore?.()

  const failures = [healthy, faulted, after].flatMap((phase) => phase.failures)
  failures.push(...ready.failures, ...verdict.failures)
  const longestMs = Math.max(...faulted.durations, ...after.durations)
  if (failures.length > 0) problems.push(`${failures.length} without a 200, the first: ${failures[0]}`)
  if (seconds === undefined) problems.push(`no recovery within ${limitMs / 1000} s`)
  if (verdict.old.length > 0) problems.push(`an invalidation does not hold: ${verdict.old[0]}`)
  if (longestMs > pace.budgetMs) problems.push(`a request took ${Math.round(longestMs)} ms`)
  return {
    fault: fault.name,
    what: fault.what,
    requests: healthy.durations.length + faulted.durations.length + after.durations.length,
    failures: failures.length,
    healthy: healthy.durations,
    faulted: faulted.durations,
    longestMs,
    skipped: faulted.skipped + after.skipped,
    renders,
    sockets,
    /** Another process has another heap. */
    heapGrowth: fault.atBoot
      ? undefined
      : Math.max(...heapAfter.map((bytes, index) => bytes - heapBefore[index])),
    heapBytes: Math.max(...heapAfter),
    recoverySeconds: seconds,
    invalidations: { issued: invalidations.issued, held: verdict.held },
    problems,
  }
}
