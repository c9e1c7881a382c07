// Replicas as processes without faults, for tests that count renders and say themselves what happens when.
import { skewedEnv } from './clock-skew.mjs'
import { optionsOf, startReplica } from './fleet.mjs'
import { createOrigin } from './origin.mjs'
import { startRedis } from '../../scripts/lib/redis.mjs'

/**
 * @param {{ count: number, dist: string, preset: string, driver: string, renderMs: number,
 *   skew?: { library: string, minutes: number[] } }} choice
 */
export async function startBareFleet({ count, dist, preset, driver, renderMs, skew }) {
  const redis = await startRedis()
  const failing = new Set()
  const origin = createOrigin({
    delays: (unit) => ({ before: 0, after: renderMs, fails: failing.has(unit) }),
  })
  const replicas = []
  let ids = 0
  let onRender = () => {}
  let onEachRender = () => {}
  const close = async () => {
    await Promise.allSettled(replicas.map((replica) => replica.close()))
    await redis.stop('SIGKILL')
  }
  try {
    for (let index = 0; index < count; index++) {
      replicas.push(
        await startReplica({
          name: `r${index}`,
          redisPort: redis.port,
          dist,
          options: optionsOf(dist, { preset, driver }),
          env: skew ? skewedEnv(skew.library, skew.minutes[index % skew.minutes.length]) : {},
          onDurable() {},
          async onGenerate({ unit }, replica) {
            onRender(unit, replica)
            onEachRender(unit, replica)
            return origin.answer(unit)
          },
        }),
      )
    }
  } catch (error) {
    await close()
    throw error
  }

  async function ask(replica, message) {
    const startedAt = performance.now()
    const result = await replica.ask({ id: ids++, shared: true, ...message })
    if (result.error) throw new Error(`${replica.name}: ${result.error}`)
    return { ...result, replica: replica.name, ms: result.at - startedAt, doneAt: result.at }
  }

  return {
    origin,
    replicas,
    /** Units that cannot be rendered. */
    failing,
    close,
    /** What `res.revalidate` does. */
    publish: (replica, unit) => ask(replica, { type: 'publish', route: unit }),
    get: (replica, type, route) => ask(replica, { type, route }),
    /** Everybody asks at once, this often per replica. */
    crowd: (type, route, each, among = replicas) =>
      Promise.all(
        among.flatMap((replica) => Array.from({ length: each }, () => ask(replica, { type, route }))),
      ),
    /**
     * Something new at the origin, and its tag is invalidated: acknowledged, and with `l1-pubsub` heard by all, since
     * until then they may answer from memory.
     */
    async change(replica, unit, tag, expire) {
      origin.bump(unit)
      const durations = expire === undefined ? undefined : { expire }
      const { durable } = await ask(replica, { type: 'invalidate', tags: [tag], durations })
      if (!durable) throw new Error('The invalidation was not acknowledged')
      if (preset === 'l1-pubsub') await Promise.all(replicas.map((each) => ask(each, { type: 'heard' })))
    },
    /** Resolves with the replica that is the next to render a unit. */
    nextRender: (unit) =>
      new Promise((resolve) => {
        onRender = (rendered, replica) => {
          if (rendered === unit) resolve(replica)
        }
      }),
    onEachRender: (listener) => void (onEachRender = listener),
    idle: () => Promise.all(replicas.map((replica) => ask(replica, { type: 'idle' }))),
  }
}

/** The versions of one unit in responses. */
export const versionsOf = (unit, responses) => [
  ...new Set(
    responses.flatMap(({ answers = [] }) =>
      answers.flatMap(({ items }) => items.filter(([, name]) => name === unit).map(([, , v]) => v)),
    ),
  ),
]
