// Moments at which a verdict changes by time alone. Two servers reach them a few milliseconds apart, so what
// they show there is not defined, and nobody asks them there.
import { limitsOf, PROFILE_SECONDS, RETRY_SECONDS } from './catalogue.mjs'

/** A request may take so long before it looks at the clock; and clocks are read late. */
const BEFORE_MS = 500
const AFTER_MS = 200

export function createBoundaries(now = () => performance.now()) {
  /** @type {{ from: number, to: number, id: string | undefined }[]} */
  let zones = []
  const add = (seconds, step, id) =>
    zones.push({ from: step.from + seconds * 1000 - BEFORE_MS, to: step.to + seconds * 1000 + AFTER_MS, id })

  return {
    /** A reader asked an origin for `id` during the step. */
    rendered(reader, id, step) {
      for (const seconds of limitsOf(reader, id)) add(seconds, step, id)
    },
    /** It was refused an answer. */
    failed(id, step) {
      for (const seconds of RETRY_SECONDS) add(seconds, step, id)
    },
    /** A soft invalidation during the step turns hard later. */
    softened(profile, step) {
      const seconds = typeof profile === 'object' ? profile.expire : PROFILE_SECONDS[profile]
      if (seconds > 0) add(seconds, step, undefined)
    },
    /** Waits until no boundary of these ids is near. */
    async untilClear(ids) {
      for (;;) {
        const at = now()
        zones = zones.filter(({ to }) => to > at)
        const near = zones.filter(({ from, id }) => from <= at && (id === undefined || ids.includes(id)))
        if (near.length === 0) return
        await new Promise((resolve) => setTimeout(resolve, Math.max(...near.map(({ to }) => to)) - at + 1))
      }
    },
  }
}
