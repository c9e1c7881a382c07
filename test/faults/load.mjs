// Visitors at a fixed rate, whatever the answers take: both replicas in turn, every kind of page.
import { ask, statusOf } from './ask.mjs'
import { HOT_IDS, ROUTES } from './routes.mjs'

/** Past it the load is not kept up: a bound of the harness, far above what bounded answers can reach. */
const MAX_IN_FLIGHT = 200

/** @param {{ replicas: { url: string }[], perSecond: number, limitMs: number, random: object }} options */
export function startLoad({ replicas, perSecond, limitMs, random }) {
  const inFlight = new Set()
  const watchers = new Set()
  let paused = false
  let turn = 0
  let phase = newPhase()

  const timer = setInterval(() => {
    if (paused) return
    if (inFlight.size >= MAX_IN_FLIGHT) return void phase.skipped++
    const { url } = replicas[turn++ % replicas.length]
    const route = random.pick(ROUTES)
    const path = route.path(random.pick(HOT_IDS))
    const own = phase
    const visit = ask(url + path, { limitMs }).then((answer) => {
      inFlight.delete(visit)
      own.add(statusOf(answer, route.reader), answer.ms, path)
      for (const watcher of watchers) watcher()
    })
    inFlight.add(visit)
  }, 1000 / perSecond)

  return {
    /** Requests that begin from now on are counted here. */
    enter() {
      phase = newPhase()
      return phase
    },
    /** Resolves once the present phase has so many answers and has lasted so long. */
    async lasts(requests, ms) {
      const own = phase
      await new Promise((resolve) => setTimeout(resolve, ms))
      if (own.durations.length >= requests) return
      await new Promise((resolve) => {
        const watcher = () => {
          if (own.durations.length < requests) return
          watchers.delete(watcher)
          resolve()
        }
        watchers.add(watcher)
      })
    },
    /** Nothing is asked until `resume`; resolves when nothing is under way. */
    async pause() {
      paused = true
      await Promise.all(inFlight)
    },
    resume() {
      paused = false
    },
    async stop() {
      clearInterval(timer)
      await Promise.all(inFlight)
    },
  }
}

/** What became of some requests. */
export function newPhase() {
  const durations = []
  const failures = []
  return {
    durations,
    failures,
    /** Not asked, because too many answers were outstanding. */
    skipped: 0,
    add(status, ms, what) {
      durations.push(ms)
      if (status !== 200) failures.push(`${what}: ${status} after ${Math.round(ms)} ms`)
    },
  }
}
