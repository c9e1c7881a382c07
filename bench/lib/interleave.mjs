/**
 * Measures every subject once per repetition, beginning with another one each time: none is always the one that
 * finds the machine warm.
 *
 * @template S, M
 * @param {S[]} subjects
 * @param {number} repetitions
 * @param {(subject: S, repetition: number) => Promise<M>} measure
 * @returns {Promise<Map<S, M[]>>}
 */
export async function interleave(subjects, repetitions, measure) {
  const results = new Map(subjects.map((subject) => [subject, []]))
  for (let repetition = 0; repetition < repetitions; repetition++) {
    for (let turn = 0; turn < subjects.length; turn++) {
      const subject = subjects[(turn + repetition) % subjects.length]
      results.get(subject).push(await measure(subject, repetition))
    }
  }
  return results
}
