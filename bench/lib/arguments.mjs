import { parseArgs } from 'node:util'

export const LEVELS = ['handler', 'storage', 'application', 'fleet', 'scale']

/** Counts need few repetitions, times many. */
const REPETITIONS = {
  quick: { handler: 3, storage: 2, application: 2, fleet: 1, scale: 3 },
  full: { handler: 7, storage: 5, application: 5, fleet: 3, scale: 5 },
}

export const USAGE = `npm run bench -- [options]

  --quick             fewer cells, shorter runs: ends within 5 minutes on two cores, once everything is
                      installed and built; where those are busy, with fewer repetitions and rows
  --level a,b         of ${LEVELS.join(', ')}; default: all
  --only text         cells whose name contains the text
  --subjects a,b      subjects whose name contains one of the texts; what is compared with stays in
  --repetitions n     interleaved repetitions of each cell: more of them steady the ratios
  --report file       measure nothing: show a stored result, draw it, and write the tables of README.md and the
                      rows that are behind into docs/performance.md from it
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
      report: { type: 'string' },
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
  const repetitions = values.repetitions === undefined ? undefined : Number(values.repetitions)
  if (repetitions !== undefined && !(Number.isInteger(repetitions) && repetitions >= 1))
    throw new Error(`--repetitions ${values.repetitions}: use a whole number from 1 on.`)
  const defaults = REPETITIONS[values.quick ? 'quick' : 'full']
  return {
    ...values,
    levels,
    repetitionsOf: (level) => repetitions ?? defaults[level],
    subjects: values.subjects?.split(','),
  }
}
