import { parseArgs } from 'node:util'
import { FAULTS } from './faults.mjs'
import { SABOTAGES } from './sabotage.mjs'

export const USAGE = `npm run test:history -- [options]

  --minutes <n>      length of the traffic (default 1; fractions are fine)
  --preset <name>    strict (default) or l1-pubsub
  --driver <name>    ioredis (default) or redis
  --seed <n>         what happens (default 1); when it happens is up to the machine
  --replicas <n>     default 3
  --skew             clocks at -10, 0 and +10 minutes
  --no-faults        traffic and invalidations only
  --only <faults>    only these, separated by commas: ${Object.keys(FAULTS).join(', ')}
  --no-sharing       requests of one process do not join each other's work, as they do in Next
  --sabotage <bug>   put a bug into every replica, to see it found: ${Object.keys(SABOTAGES).join(', ')}
  --propagation <ms> how long a message may take to a replica that can hear, in l1-pubsub (default 150)
  --verbose          every fault as it happens
`

export function readArguments(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      minutes: { type: 'string', default: '1' },
      preset: { type: 'string', default: 'strict' },
      driver: { type: 'string', default: 'ioredis' },
      seed: { type: 'string', default: '1' },
      replicas: { type: 'string', default: '3' },
      skew: { type: 'boolean', default: false },
      'no-faults': { type: 'boolean', default: false },
      only: { type: 'string' },
      'no-sharing': { type: 'boolean', default: false },
      sabotage: { type: 'string' },
      propagation: { type: 'string', default: '150' },
      verbose: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  oneOf('preset', values.preset, ['strict', 'l1-pubsub'])
  oneOf('driver', values.driver, ['ioredis', 'redis'])
  if (values.sabotage !== undefined) oneOf('sabotage', values.sabotage, Object.keys(SABOTAGES))
  for (const kind of values.only?.split(',') ?? []) oneOf('only', kind, Object.keys(FAULTS))
  return {
    ms: positive('minutes', values.minutes) * 60_000,
    preset: values.preset,
    driver: values.driver,
    seed: positive('seed', values.seed),
    replicas: positive('replicas', values.replicas),
    skewed: values.skew,
    faults: !values['no-faults'],
    only: values.only?.split(','),
    sharing: !values['no-sharing'],
    sabotage: values.sabotage,
    propagationMs: positive('propagation', values.propagation),
    verbose: values.verbose,
    help: values.help,
  }
}

function oneOf(name, value, possible) {
  if (!possible.includes(value)) throw new Error(`--${name} ${value}: choose ${possible.join(' or ')}`)
}

function positive(name, text) {
  const number = Number(text)
  if (!(number > 0)) throw new Error(`--${name} ${text}: give a number above 0`)
  return number
}
