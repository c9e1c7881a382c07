// The history of a run, and the proof over it: every response is held against everything that had been acknowledged
// before it was asked for. One clock, the observer's; a response that began before an acknowledgement may show either.
//
// With `snapshot` the versions at the moment an invalidation was asked for, content of a unit that carries its tag
//
//   hard      must not be older than `snapshot` in a response that begins after the acknowledgement
//   deadline  the same after a profile's window, counted from the acknowledgement, is over
//   fresh     and until then, if it is older, must not be called fresh for longer than the life of a mask
//   own       the replica that invalidated knows from the moment its promise resolved, be Redis there or not
//   stored    content that was published without an invalidation is seen by whoever asks after it was stored
//
// `strict`: from that moment on. `l1-pubsub`: `propagationMs` later while the replica could hear, that is while nothing
// was done to its subscriber or its process; `silentMs` later whatever was done.
import { pathTag, RETRY_LIFE, SHORT_LIFE, UNITS } from './workload.mjs'

/** Acknowledgements are summed up after this long; whatever takes longer than that to answer is not judged. */
const HORIZON_MS = 30_000
const MAX_GENERATIONS = 20_000

/** A mask, or what Next keeps for up to 30 s because its refresh failed. */
function isShort({ life, unit }, { masked }) {
  const { kind, revalidate } = UNITS[unit]
  if (kind === 'fetch') return masked
  return life !== null && life <= (kind === 'page' && revalidate === false ? RETRY_LIFE : SHORT_LIFE)
}

/**
 * @param {{ preset: 'strict' | 'l1-pubsub', propagationMs?: number, silentMs?: number, sharing?: boolean, deadlineToleranceMs?: number }} options
 *   `deadlineToleranceMs`: replicas know the server's time only as well as their round trips are short
 */
export function createChecker({
  preset,
  sharing = true,
  propagationMs = 150,
  silentMs = 2_000,
  deadlineToleranceMs = 400,
}) {
  /** By tag: what is acknowledged, and the oldest versions that all of it together still allows. */
  const byTag = new Map()
  const stores = new Map()
  const disturbances = new Map()
  const generations = new Map()
  const losses = []
  let storesLostAt = -Infinity
  let unjudged = 0
  let judged = 0

  const listOf = (map, key) => {
    if (!map.has(key)) map.set(key, [])
    return map.get(key)
  }

  /**
   * How long after `ack` a response of this replica that began at `began` may still miss what was acknowledged.
   */
  function graceMs({ replica, incarnation, lapsedMs }, cause, began) {
    if (preset === 'strict') return 0
    if (cause.replica === replica && cause.incarnation === incarnation) return 0
    const deaf = listOf(disturbances, replica).some(({ from, to }) => from <= began && to >= cause.invokedAt)
    return deaf ? silentMs : Math.min(silentMs, propagationMs + lapsedMs)
  }

  /** The rules that an invalidation holds an item to: since when, and why. */
  function* rulesOf(invalidation, response, answer, item) {
    const { windowMs, resolvedAt, ackedAt } = invalidation
    const isOwn =
      invalidation.replica === response.replica && invalidation.incarnation === response.incarnation
    const since = isOwn ? Math.min(resolvedAt, ackedAt) : ackedAt
    if (since === Infinity) return
    if (windowMs === undefined) {
      yield { rule: isOwn ? 'own' : 'hard', since }
      return
    }
    if (ackedAt !== Infinity) yield { rule: 'deadline', since: ackedAt + windowMs + deadlineToleranceMs }
    // A function inside a page is refreshed by its own tags; those of the page it is on only ever expire it.
    if (
      answer.status === 'fresh' &&
      !isShort(answer, response) &&
      UNITS[item.unit].tags.some((tag) => invalidation.tags.includes(tag))
    )
      yield { rule: 'fresh', since }
  }

  function judgeItem(response, answer, item, began) {
    const route = item.path.split('>')[0]
    const violations = []
    // Next lets a route join what another one reads, whose own path nobody invalidated.
    const isJoined = sharing && UNITS[item.unit].kind === 'function'
    for (const tag of isJoined ? UNITS[item.unit].tags : [...UNITS[item.unit].tags, pathTag(route)]) {
      const list = byTag.get(tag)
      if (list === undefined) continue
      for (let index = list.length - 1; index >= 0; index--) {
        const invalidation = list[index]
        const needed = invalidation.snapshot[item.unit]
        if (needed === undefined || item.v >= needed) continue
        for (const { rule, since } of rulesOf(invalidation, response, answer, item)) {
          const lateMs = began - since
          if (lateMs <= 0 || lateMs <= graceMs(response, invalidation, began)) continue
          violations.push({ rule, lateMs, needed, item, answer, response, began, cause: invalidation })
        }
      }
    }
    if (item.path === answer.unit) {
      for (const store of stores.get(item.unit) ?? []) {
        const lateMs = began - store.ackedAt
        if (item.v >= store.v || lateMs <= 0 || lateMs <= graceMs(response, store, began)) continue
        violations.push({
          rule: 'stored',
          lateMs,
          needed: store.v,
          item,
          answer,
          response,
          began,
          cause: store,
        })
      }
    }
    return violations
  }

  /** What is long past only matters by the newest of it. */
  function compact(list, now, isSettled) {
    if (list.length < 40) return list
    const recent = list.filter((one) => !isSettled(one, now))
    const settled = list.filter((one) => isSettled(one, now))
    // The newest snapshot holds what every older one does: versions only grow.
    const newest = settled.toSorted((a, b) => a.invokedAt - b.invokedAt)
    const keep = [
      newest.findLast(({ windowMs }) => windowMs === undefined),
      newest.findLast((one) => one.windowMs !== undefined),
    ]
    return [...keep.filter((one) => one !== undefined), ...recent]
  }

  const isOver = ({ ackedAt, windowMs = 0 }, now) => ackedAt + Math.min(windowMs, 1e9) < now - HORIZON_MS

  return {
    get judged() {
      return judged
    },
    get unjudged() {
      return unjudged
    },
    /** @param {{ tags: string[], windowMs?: number, replica: string, incarnation: number, invokedAt: number, snapshot: Record<string, number> }} call */
    invalidationInvoked(call) {
      const invalidation = { ...call, resolvedAt: Infinity, ackedAt: Infinity }
      for (const tag of call.tags) {
        byTag.set(tag, compact(listOf(byTag, tag), call.invokedAt, isOver))
        listOf(byTag, tag).push(invalidation)
      }
      return invalidation
    },
    invalidationResolved: (invalidation, at) => void (invalidation.resolvedAt = at),
    invalidationAcknowledged: (invalidation, at) => void (invalidation.ackedAt = at),
    /** A body was stored that shows at least version `v`. */
    stored(store) {
      if (store.invokedAt <= storesLostAt) return
      const list = listOf(stores, store.unit)
      list.push(store)
      stores.set(store.unit, compact(list, store.ackedAt, isOver))
    },
    /** Entries were taken away: what follows may be older than what is gone, unless an invalidation forbids it. */
    entriesLost(what, at) {
      storesLostAt = at
      losses.push({ what, at })
      stores.clear()
    },
    /** Something keeps a replica from hearing, from now until `end(at)`. */
    disturbed(replica, kind, from) {
      const list = listOf(disturbances, replica)
      const disturbance = { kind, from, to: Infinity }
      list.push(disturbance)
      while (list.length > 200 && list[0].to < from - HORIZON_MS) list.shift()
      return (at) => void (disturbance.to = at)
    },
    generated(generation) {
      generations.set(generation.gen, generation)
      if (generations.size > MAX_GENERATIONS) generations.delete(generations.keys().next().value)
    },
    losses,
    generation: (gen) => generations.get(gen),
    disturbancesOf: (replica, from, to) =>
      listOf(disturbances, replica).filter((one) => one.from <= to && one.to >= from),
    /**
     * @param {{ request: number, replica: string, incarnation: number, endedAt: number, lapsedMs: number, masked: boolean,
     *   answers: { unit: string, status: string, life: number | null, beganAt: number, items: [string, string, number, string][] }[] }} response
     *   `beganAt`: when the oldest request began whose work the answer shares
     */
    judge(response) {
      const violations = []
      for (const answer of response.answers) {
        if (response.endedAt - answer.beganAt > HORIZON_MS) {
          unjudged++
          continue
        }
        judged++
        for (const [path, unit, v, gen] of answer.items)
          violations.push(...judgeItem(response, answer, { path, unit, v, gen }, answer.beganAt))
      }
      return violations
    },
  }
}
