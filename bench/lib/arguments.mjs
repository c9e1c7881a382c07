import { parseArgs } from 'node:util'

export const LEVELS = ['handler', 'application', 'fleet', 'scale']

export const USAGE = `npm run bench -- [options]

  --quick             fewer cells, shorter runs: everything in under 5 minutes once installed and built
  --level a,b         of ${LEVELS.join(', ')}; default: all
  --only text         cells whose name contains the text
  --subjects a,b      subjects whose name contains one of the texts; what is compared with stays in
  --repetitions n     interleaved repetitions of each cell
  --json file         where to write the results; default: bench/results/<date>.json
  --no-charts         no SVG beside the results
  --profile           --cpu-prof of every measured process, into bench/.cache/profiles (handler and scale)
`

/** @throws Error with what is wrong */
export function readArguments(args) {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      level: { type: 'string' },
      only: { type: 'string' },
      subjects: { type: 'string' },
      repetitions: { type: 'string' },
      json: { type: 'string' },
      charts: { type: 'boolean', default: true },
      profile: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
    allowNegative: true,
  })
  const levels = values.level?.split(',') ?? LEVELS
  for (const level of levels) {
    if (!LEVELS.includes(level)) throw new Error(`--level ${level}: use some of ${LEVELS.join(', ')}.`)
  }
  const repetitions = Number(values.repetitions ?? (values.quick ? 3 : 7))
  if (!Number.isInteger(repetitions) || repetitions < 1)
    throw new Error(`--repetitions ${values.repetitions}: use a whole number from 1 on.`)
  return { ...values, levels, repetitions, subjects: values.subjects?.split(',') }
}
