// Content that changes during a fault, and the invalidations that say so.
import { ask, factsOf, statusOf } from './ask.mjs'
import { ROUTES, VICTIM_IDS } from './routes.mjs'

const EVERY_MS = 100

/**
 * @param {{ arena: object, victims: number, checks: number, requestMs: number }} options `victims`: products that
 *   change; `checks`: how often everything is asked once more after it was new, because nothing old may come back
 */
export function createInvalidations({ arena, victims, checks, requestMs }) {
  const { replicas, origin } = arena
  /** The version that whoever asks after the invalidation must see; by id. */
  const needed = new Map(VICTIM_IDS.slice(0, victims).map((id) => [id, 1]))

  /** What is older than it may be, and what could not be asked. */
  async function outdated() {
    const old = []
    const failures = []
    await Promise.all(
      replicas.map(async (replica) => {
        for (const [id, version] of needed) {
          for (const { reader, path } of ROUTES) {
            const answer = await ask(replica.url + path(id), { limitMs: requestMs })
            const status = statusOf(answer, reader)
            const shown = factsOf(answer, reader)?.version
            const where = `${replica.name} ${path(id)}`
            if (status !== 200) failures.push(`${where}: ${status} after ${Math.round(answer.ms)} ms`)
            else if (!(shown >= version)) old.push({ id, text: `${where}: version ${shown}, not ${version}` })
          }
        }
      }),
    )
    return { old, failures }
  }

  /** Asks until nothing is old, or the limit is over. */
  async function untilNew(waitMs) {
    const deadline = performance.now() + waitMs
    const failures = []
    for (;;) {
      const seen = await outdated()
      failures.push(...seen.failures)
      const isNew = seen.old.length === 0 && seen.failures.length === 0
      if (isNew || performance.now() > deadline) return { ...seen, failures }
      await pause()
    }
  }

  return {
    /** Every replica holds the present content of every victim. */
    prepare: (waitMs) => untilNew(waitMs),

    issued: needed.size,

    /**
     * Changes every other victim, and tells one replica of each.
     *
     * @param {0 | 1} half
     * @param {(status: number | string, ms: number, what: string) => void} count
     */
    async issue(half, count) {
      const ids = [...needed.keys()].filter((_, index) => Math.floor((2 * index) / needed.size) === half)
      for (const [index, id] of ids.entries()) {
        const replica = replicas[index % replicas.length]
        needed.set(id, await origin.publish(id))
        const json = { action: 'revalidateTag', tag: `content:${id}` }
        const { status, ms } = await ask(`${replica.url}/api/control`, {
          method: 'POST',
          json,
          limitMs: requestMs,
        })
        count(status, ms, `invalidation on ${replica.name}`)
      }
    },

    /** How many hold: on every replica, on every kind of page, and not for one moment only. */
    async verify(waitMs) {
      const first = await untilNew(waitMs)
      const failures = [...first.failures]
      const old = [...first.old]
      for (let check = 0; check < checks && old.length === 0; check++) {
        await pause()
        const seen = await outdated()
        old.push(...seen.old)
        failures.push(...seen.failures)
      }
      const broken = new Set(old.map(({ id }) => id))
      return { held: needed.size - broken.size, old: old.map(({ text }) => text), failures }
    },
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, EVERY_MS))
