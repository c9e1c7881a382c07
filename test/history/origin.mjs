// Where content comes from: a version per unit, counted up by whoever publishes; renders take their time.
import { UNIT_NAMES } from './workload.mjs'

/**
 * @param {{ delays: (unit: string) => { before: number, after: number, fails?: boolean } }} options
 *   how long an answer takes before and after its version is read, in milliseconds
 */
export function createOrigin({ delays }) {
  const versions = new Map(UNIT_NAMES.map((unit) => [unit, [{ at: -Infinity, v: 1 }]]))
  const renders = new Map()
  let answered = 0

  return {
    get answered() {
      return answered
    },
    bump(unit) {
      const list = versions.get(unit)
      const v = list.at(-1).v + 1
      list.push({ at: performance.now(), v })
      return v
    },
    current: (unit) => versions.get(unit).at(-1).v,
    /** The version that was current at a time. */
    versionAt(unit, at) {
      const list = versions.get(unit)
      let index = list.length - 1
      while (index > 0 && list[index].at > at) index--
      return list[index].v
    },
    snapshot: (units) => Object.fromEntries(units.map((unit) => [unit, versions.get(unit).at(-1).v])),
    rendersOf: (unit) => renders.get(unit) ?? 0,
    async answer(unit) {
      renders.set(unit, (renders.get(unit) ?? 0) + 1)
      answered++
      const { before, after, fails = false } = delays(unit)
      await pause(before)
      const v = versions.get(unit).at(-1).v
      const readAt = performance.now()
      await pause(after)
      return fails ? { failed: true } : { v, readAt }
    },
  }
}

/** A render that takes no time still takes a turn. */
const pause = (ms) => new Promise((resolve) => (ms > 0 ? setTimeout(resolve, ms) : setImmediate(resolve)))
