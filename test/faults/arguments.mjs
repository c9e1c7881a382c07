import { parseArgs } from 'node:util'
import { PACES } from './run-fault.mjs'
import { SABOTAGES } from './sabotages.mjs'
import { TOPOLOGIES } from './topologies.mjs'

const DIMENSIONS = {
  preset: ['strict', 'l1-pubsub'],
  driver: ['ioredis', 'redis'],
  topology: Object.keys(TOPOLOGIES),
}
const namesOf = (topology) => TOPOLOGIES[topology].faults.map(({ name }) => name)

export const USAGE = `npm run test:faults -- [options]

  --preset, --driver <name>
                   one value, or all (default)
  --topology <name>
                   ${Object.keys(TOPOLOGIES).join(', ')} (default single), or all
  --only <faults>  only these, separated by commas:
${Object.keys(TOPOLOGIES)
  .map((name) => `                   ${name}: ${namesOf(name).join(', ')}`)
  .join('\n')}
  --minutes <n>    a soak: chosen faults in random order for so long in each cell; heap and sockets over time
  --seconds <n>    how long a fault lasts, at least (default 5)
  --seed <n>       what the load asks for, and the order of a soak (default 1)
  --json <file>    everything that was measured
  --no-latency     without the comparison of an open breaker with stock
  --sabotage <bug> put a bug into the replicas, to see it found: ${Object.keys(SABOTAGES).join(', ')}
`

export function readArguments(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      preset: { type: 'string', default: 'all' },
      driver: { type: 'string', default: 'all' },
      topology: { type: 'string', default: 'single' },
      only: { type: 'string' },
      minutes: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string', default: '1' },
      json: { type: 'string' },
      'no-latency': { type: 'boolean', default: false },
      sabotage: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const names = values.only?.split(',')
  const topologies = chosen('topology', values.topology)
  const known = topologies.flatMap(namesOf)
  const unknown = names?.find((name) => !known.includes(name))
  if (unknown !== undefined) throw new Error(`--only ${unknown}: choose among ${known.join(', ')}`)
  if (values.sabotage !== undefined && SABOTAGES[values.sabotage] === undefined)
    throw new Error(`--sabotage ${values.sabotage}: choose ${Object.keys(SABOTAGES).join(' or ')}`)
  const presets = chosen('preset', values.preset)
  // What is measured besides, when everything is.
  const extras = names === undefined && values.minutes === undefined && values.sabotage === undefined
  return {
    cells: topologies.flatMap((topology) => {
      const { faults } = TOPOLOGIES[topology]
      const only = faults.filter(({ name }) => names === undefined || names.includes(name))
      if (only.length === 0) return []
      const drivers = chosen('driver', values.driver)
      return drivers.flatMap((driver) =>
        presets.map((preset) => ({ topology, preset, driver, faults: only })),
      )
    }),
    soakMs: values.minutes === undefined ? undefined : positive('minutes', values.minutes) * 60_000,
    pace: paceOf(values),
    seed: positive('seed', values.seed),
    json: values.json,
    extras,
    latency: extras && !values['no-latency'],
    sabotage: values.sabotage,
    help: values.help,
  }
}

function paceOf({ minutes, seconds }) {
  const pace = minutes === undefined ? PACES.full : PACES.soak
  if (seconds === undefined) return pace
  const faultedMs = positive('seconds', seconds) * 1000
  const requests = Math.ceil((pace.requests * faultedMs) / pace.faultedMs)
  return { ...pace, requests, faultedMs, healthyMs: Math.min(pace.healthyMs, faultedMs) }
}

function chosen(name, value) {
  const possible = DIMENSIONS[name]
  if (value !== 'all' && !possible.includes(value))
    throw new Error(`--${name} ${value}: choose ${possible.join(', ')} or all`)
  return value === 'all' ? possible : [value]
}

function positive(name, text) {
  const number = Number(text)
  if (!(number > 0)) throw new Error(`--${name} ${text}: give a number above 0`)
  return number
}
