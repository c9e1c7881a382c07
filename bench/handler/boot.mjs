// What a process pays before its first request: importing the package and its driver, building the handlers.
import { interleave } from '../lib/interleave.mjs'
import { summarize } from '../lib/statistics.mjs'
import { chosenSubjects, referenceOf } from '../subjects/catalogue.mjs'
import { startSubject } from './subject-process.mjs'

export const BOOT_ROW = 'start: import and build'

export async function measureBoot({ repetitions, wanted, log }) {
  log(BOOT_ROW)
  const candidates = chosenSubjects(wanted).filter(({ bodyIsRead, kind }) => !bodyIsRead && kind !== 'stock')
  const subjects = {}
  const measured = await interleave(candidates, repetitions, async (subject) => {
    try {
      const { boot, stop } = await startSubject(subject)
      await stop()
      return boot
    } catch (error) {
      subjects[subject.name] = { kind: subject.kind, failed: error.message.split('\n')[0] }
      return {}
    }
  })
  for (const [subject, samples] of measured) {
    const { name, kind, l1 } = subject
    const reference = referenceOf(subject, { op: l1 ? 'L1 hit' : 'write' })
    subjects[name] ??= { kind, reference, samples, median: summarize(samples) }
  }
  return { level: 'handler', name: BOOT_ROW, figure: 'bootCpuMs', subjects }
}
