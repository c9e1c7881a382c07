import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { SABOTAGES } from './sabotage.mjs'

const DIMENSIONS = {
  preset: ['strict', 'l1-pubsub'],
  driver: ['ioredis', 'redis'],
  bundler: ['turbopack', 'webpack'],
  variant: ['components', 'classic'],
}

export const USAGE = `npm run test:differential -- [options]

  --seeds <n>      how many sequences (default 20)
  --ops <n>        operations of each (default 100)
  --replicas <n>   replicas with this package (default 3)
  --seed <n>       the first seed (default 1)
  --preset, --driver, --bundler, --variant <name>
                   one value, or all (default): then a pairwise choice over what is left open,
                   and the seeds are dealt to its cells in turn
  --every-cell     every seed in every cell
  --sabotage <bug> put a bug into our side, to see it found: ${Object.keys(SABOTAGES).join(', ')}
  --replay <file>  operations as JSON, as a shrunk divergence prints them, instead of seeds
  --no-shrink      print the first divergences as they were found
  --trace          print every step
`

export function readArguments(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      seeds: { type: 'string', default: '20' },
      ops: { type: 'string', default: '100' },
      replicas: { type: 'string', default: '3' },
      seed: { type: 'string', default: '1' },
      ...Object.fromEntries(
        Object.keys(DIMENSIONS).map((name) => [name, { type: 'string', default: 'all' }]),
      ),
      'every-cell': { type: 'boolean', default: false },
      sabotage: { type: 'string' },
      replay: { type: 'string' },
      'no-shrink': { type: 'boolean', default: false },
      trace: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const dimensions = {}
  for (const [name, possible] of Object.entries(DIMENSIONS)) {
    if (values[name] !== 'all' && !possible.includes(values[name]))
      throw new Error(`--${name} ${values[name]}: choose ${possible.join(', ')} or all`)
    dimensions[name] = values[name] === 'all' ? possible : [values[name]]
  }
  if (values.sabotage && !SABOTAGES[values.sabotage])
    throw new Error(`--sabotage ${values.sabotage}: choose ${Object.keys(SABOTAGES).join(', ')}`)
  return {
    seeds: positive('seeds', values.seeds),
    operations: positive('ops', values.ops),
    replicas: positive('replicas', values.replicas),
    firstSeed: positive('seed', values.seed),
    dimensions,
    everyCell: values['every-cell'],
    sabotageName: values.sabotage,
    replay: values.replay && JSON.parse(readFileSync(values.replay, 'utf8')),
    shrink: !values['no-shrink'],
    trace: values.trace,
    help: values.help,
  }
}

function positive(name, text) {
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`--${name} ${text}: give a whole number above 0`)
  return Number(text)
}
