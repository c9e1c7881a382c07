// One run: replicas, clients, invalidations and faults, and the checker over all of it.
import { createRandom } from '../differential/random.mjs'
import { startRedis } from '../../scripts/lib/redis.mjs'
import { skewedEnv } from './clock-skew.mjs'
import { createChecker } from './checker.mjs'
import { createFaults } from './faults.mjs'
import { optionsOf, startReplica } from './fleet.mjs'
import { createOrigin } from './origin.mjs'
import { checkQuiescence } from './quiescence.mjs'
import { redisCommand } from './redis-command.mjs'
import { describeViolation } from './report.mjs'
import { carriersOf, DYNAMIC_ROUTES, PAGES, pathTag, PUBLISHED, TAGS, UNITS, YEAR } from './workload.mjs'

const CLIENTS = 20
/** Who is served by whom counts, not how many: more would only measure this machine. */
const THINK_MS = [5, 60]
/** Longer than replicas can be wrong about the server's time, by which entries are ordered. */
const ORDER_TOLERANCE_MS = 500
const WAIT_MS = 5_000
const LULL_MS = 3_500

/**
 * @param {{ seed: number, ms: number, preset: string, driver: string, replicas: number, dist: string, sabotage?: string,
 *   skew?: { library: string, minutes: number[] }, faults?: boolean, only?: string[], sharing?: boolean, maxViolations?: number, propagationMs?: number,
 *   log?: (line: string) => void }} choice
 * @returns verdict, counts, and what was wrong
 */
export async function runHistory(choice) {
  const {
    seed,
    ms,
    preset,
    driver,
    dist,
    sabotage,
    skew,
    faults: withFaults = true,
    maxViolations = 3,
    log = () => {},
  } = choice
  const streams = createRandom(seed)
  const stream = () => createRandom(streams.integer(2 ** 32))
  const [renderRandom, mutatorRandom, faultRandom] = [stream(), stream(), stream()]
  const redis = await startRedis()
  const command = redisCommand(redis.port)
  const checker = createChecker({ preset, sharing: choice.sharing, propagationMs: choice.propagationMs })
  const origin = createOrigin({ delays: (unit) => delaysOf(renderRandom, unit, calm) })
  const zero = performance.now()
  const deadline = zero + ms
  const counts = {
    requests: 0,
    lost: 0,
    failed: 0,
    invalidations: 0,
    acknowledged: 0,
    published: 0,
    'late acknowledgements': 0,
  }
  const violations = []
  const waitingForRedis = new Map()
  const began = []
  let calm = false
  let ended = false
  let lullUntil = 0
  const replicas = []

  const options = optionsOf(dist, { preset, driver, singleFlight: { waitMs: WAIT_MS } })
  try {
    for (let index = 0; index < choice.replicas; index++) {
      const minutes = skew?.minutes[index % skew.minutes.length] ?? 0
      replicas.push(
        await startReplica({
          name: `r${index}`,
          redisPort: redis.port,
          dist,
          options,
          sabotage,
          env: skew ? skewedEnv(skew.library, minutes) : {},
          onGenerate,
          onDurable(id, at) {
            const invalidation = waitingForRedis.get(id)
            waitingForRedis.delete(id)
            if (invalidation === undefined) return
            checker.invalidationAcknowledged(invalidation, at)
            counts['late acknowledgements']++
          },
        }),
      )
    }
    const faults = createFaults({
      random: faultRandom,
      only: choice.only,
      replicas,
      redis: { pause: () => redis.child.kill('SIGSTOP'), resume: () => redis.child.kill('SIGCONT') },
      checker,
      command,
      tagsKey: `${options.keyPrefix}:tags`,
      log,
    })
    const nemesis = withFaults ? faults.run() : Promise.resolve()
    const stopped = () => ended || performance.now() > deadline
    const clients = Array.from({ length: CLIENTS }, () => client(stream(), stopped))
    const mutators = [invalidator(mutatorRandom, stopped), publisher(stream(), stopped)]
    await Promise.race([Promise.all(clients), nemesis.then(() => new Promise(() => {}))])
    ended = true
    await faults.stop()
    await nemesis
    await Promise.all(mutators)
    log('the traffic has ended')
    calm = true
    if (violations.length < maxViolations)
      await checkQuiescence({
        replicas,
        origin,
        request,
        invalidate,
        report: (text) => violations.push(text),
      })
    const stats = await Promise.all(
      replicas.map((replica) => replica.ask({ type: 'stats', id: `stats-${replica.name}` })),
    )
    return {
      seed,
      violations,
      counts: { ...counts, judged: checker.judged, unjudged: checker.unjudged, renders: origin.answered },
      faults: faults.counts,
      telemetry: sum(stats.map((one) => one.counts ?? {})),
    }
  } finally {
    ended = true
    redis.child.kill('SIGCONT')
    await Promise.allSettled(replicas.map((replica) => replica.close()))
    await redis.stop('SIGKILL')
  }

  async function onGenerate({ unit, gen, request }, replica) {
    const generation = { unit, gen, request, replica: replica.name, askedAt: performance.now() }
    checker.generated(generation)
    const answer = await origin.answer(unit)
    Object.assign(generation, answer)
    return answer
  }

  /** Asks a replica for a page or a dynamic route, and has the answer judged. */
  async function request(replica, type, route, shared) {
    const id = began.push(performance.now()) - 1
    const { incarnation } = replica
    counts.requests++
    const result = await replica.ask({ type, id, route, shared: shared && choice.sharing !== false })
    if (result.lost) counts.lost++
    else if (result.error) counts.failed++
    if (result.answers === undefined) return result
    const answers = result.answers.map((answer) => ({
      ...answer,
      beganAt: began[Math.min(answer.since ?? id, id)],
    }))
    const response = {
      request: id,
      replica: replica.name,
      incarnation,
      endedAt: result.at,
      lapsedMs: result.lapsedMs,
      masked: result.masked === true,
      said: result.said,
      answers,
    }
    for (const violation of checker.judge(response)) {
      if (violations.length >= maxViolations) break
      violations.push(describeViolation(violation, checker, origin, zero))
      log(violations.at(-1))
    }
    if (violations.length >= maxViolations) ended = true
    return { ...result, answers, beganAt: began[id] }
  }

  async function invalidate(replica, tags, windowMs, units) {
    const id = began.push(performance.now()) - 1
    const invalidation = checker.invalidationInvoked({
      tags,
      windowMs,
      replica: replica.name,
      incarnation: replica.incarnation,
      invokedAt: began[id],
      snapshot: origin.snapshot(units),
    })
    waitingForRedis.set(id, invalidation)
    counts.invalidations++
    const durations = windowMs === undefined ? undefined : { expire: windowMs / 1000 }
    const result = await replica.ask({ type: 'invalidate', id, tags, durations })
    if (result.lost) counts.lost++
    else if (result.error) throw new Error(`${replica.name} refused to invalidate: ${result.error}`)
    if (result.lost) return
    checker.invalidationResolved(invalidation, result.at)
    if (!result.durable) return
    waitingForRedis.delete(id)
    counts.acknowledged++
    checker.invalidationAcknowledged(invalidation, result.at)
  }

  async function client(random, stopped) {
    while (!stopped()) {
      await pause(THINK_MS[0] + random.next() * (THINK_MS[1] - THINK_MS[0]))
      const replica = random.pick(replicas)
      if (random.chance(0.6)) await request(replica, 'page', random.pick(PAGES), random.chance(0.5))
      else await request(replica, 'dynamic', random.pick(Object.keys(DYNAMIC_ROUTES)), random.chance(0.5))
    }
  }

  async function invalidator(random, stopped) {
    const underWay = new Set()
    while (!stopped()) {
      await pause(50 + random.next() * 350)
      // Changes hide what was missed. Now and then there are none for longer than anybody may be deaf.
      if (random.chance(0.06)) {
        lullUntil = performance.now() + LULL_MS
        await pause(LULL_MS)
      }
      const isPath = random.chance(0.1)
      const tag = isPath ? pathTag(random.pick(PAGES)) : random.pick(random.chance(0.05) ? ['all'] : TAGS)
      const carriers = isPath ? unitsBelow(tag.slice('_N_T_/'.length)) : carriersOf(tag)
      if (random.chance(0.85)) for (const unit of carriers) origin.bump(unit)
      // A path is only ever expired at once, as by `revalidatePath`.
      const windowMs = isPath || random.chance(0.6) ? undefined : random.pick([1_000, 2_500, YEAR * 1000])
      const replica = random.pick(replicas)
      const probed = random.pick(replicas)
      const done = invalidate(replica, [tag], windowMs, carriers).then(async () => {
        // Somebody who knows of it asks at once.
        const routes = PAGES.filter((page) => unitsBelow(page).some((unit) => carriers.includes(unit)))
        if (!stopped() && routes.length > 0)
          await request(probed, 'page', random.pick(routes), random.chance(0.5))
      })
      underWay.add(done)
      void done.finally(() => underWay.delete(done))
    }
    await Promise.all(underWay)
  }

  /** On-demand revalidation: something is published, and a replica is told to render and store its page. */
  async function publisher(random, stopped) {
    while (!stopped()) {
      await pause(100 + random.next() * 400)
      if (performance.now() < lullUntil) continue
      const unit = random.pick(PUBLISHED)
      origin.bump(unit)
      await pause(ORDER_TOLERANCE_MS + 50)
      const replica = random.pick(replicas)
      const { stored, at, beganAt } = await request(replica, 'publish', unit, false)
      if (!stored) continue
      counts.published++
      const v = origin.versionAt(unit, beganAt - ORDER_TOLERANCE_MS)
      const { name, incarnation } = replica
      checker.stored({ unit, v, replica: name, incarnation, invokedAt: beganAt, ackedAt: at })
      if (!stopped()) await request(random.pick(replicas), 'page', unit, random.chance(0.5))
    }
  }
}

const unitsBelow = (name) => [name, ...UNITS[name].contains.flatMap(unitsBelow)]

/** Most renders are quick, some are slow before or after they saw the data, a few fail. */
function delaysOf(random, unit, calm) {
  if (calm) return { before: 0, after: 5 }
  const slow = () =>
    random.weighted([
      [60, 10],
      [30, 150],
      [9, 700],
      [1, 3_000],
    ]) * random.next()
  return { before: slow() / 2, after: slow(), fails: UNITS[unit].revalidate === false && random.chance(0.03) }
}

function sum(list) {
  const total = {}
  for (const counts of list)
    for (const [key, count] of Object.entries(counts)) total[key] = (total[key] ?? 0) + count
  return Object.fromEntries(Object.entries(total).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
