// What a process pays before its first request: importing the package, building the handlers; what it has paid once it
// serves, since a driver may be loaded later and a connection has to be made; its memory then; and how many
// connections it has once it reads.
import { reasonOf } from '../lib/bounded.mjs'
import { interleave } from '../lib/interleave.mjs'
import { summarize } from '../lib/statistics.mjs'
import { chosenSubjects, referenceOf } from '../subjects/catalogue.mjs'
import { cellOf } from './cells.mjs'
import { connections } from './redis-facts.mjs'
import { startSubject } from './subject-process.mjs'

export const BOOT_ROW = 'start: until it serves'

export async function measureBoot({ quick, repetitions, wanted, log, pace }) {
  log(BOOT_ROW)
  const candidates = chosenSubjects(wanted).filter(
    ({ bodyIsRead, kind, settings }) =>
      !bodyIsRead && kind !== 'stock' && kind !== 'contract' && !(quick && settings.driver === 'redis'),
  )
  const subjects = {}
  const measured = await interleave(candidates, quick ? 2 : repetitions, bootOnce, pace)
  for (const [subject, { samples, failed }] of measured) {
    const { name, kind, l1 } = subject
    const reference = referenceOf(subject, { op: l1 ? 'L1 hit' : 'write' })
    subjects[name] =
      failed === undefined
        ? { kind, reference, samples, median: summarize(samples) }
        : { kind, reference, failed: reasonOf(failed) }
  }
  return { level: 'handler', name: BOOT_ROW, cell: { op: 'start' }, figure: 'servingCpuMs', subjects }
}

async function bootOnce(subject) {
  const { ask, admin, boot, stop } = await startSubject(subject)
  try {
    const [api] = subject.apis
    const cell = { ...cellOf(api, subject.l1 ? 'L1 hit' : 'write', { bytes: 1024 }), keys: 2 }
    const serving = await ask('serve', { cell })
    await ask('prepare', { cell })
    return { ...boot, ...serving, connections: await connections(admin) }
  } finally {
    await stop()
  }
}
