import { bounded, reasonOf } from './bounded.mjs'

/** No single measurement is meant to take a tenth of this. */
const LIMIT_MS = 120_000

/**
 * Measures every subject once per repetition, beginning with another one each time: none is always the one that
 * finds the machine warm. Who fails is not asked again, and keeps nobody else from being measured.
 *
 * @template S, M
 * @param {S[]} subjects
 * @param {number} repetitions
 * @param {(subject: S, repetition: number) => Promise<M>} measure
 * @param {{ limitMs?: number, isLate?: () => boolean }} [options] whoever is late does not repeat
 * @returns {Promise<Map<S, { samples: M[], failed?: string }>>}
 */
export async function interleave(subjects, repetitions, measure, options = {}) {
  const { limitMs = LIMIT_MS, isLate = () => false } = options
  const results = new Map(subjects.map((subject) => [subject, { samples: [] }]))
  for (let repetition = 0; repetition < repetitions; repetition++) {
    if (repetition > 0 && isLate()) break
    for (let turn = 0; turn < subjects.length; turn++) {
      const subject = subjects[(turn + repetition) % subjects.length]
      const result = results.get(subject)
      if (result.failed !== undefined) continue
      try {
        result.samples.push(await bounded(measure(subject, repetition), limitMs, 'a measurement'))
      } catch (error) {
        result.failed = reasonOf(error)
      }
    }
  }
  return results
}
