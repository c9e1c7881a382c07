// The parts of the fault harness that decide what it says.
import { describe, expect, it } from 'vitest'
import { readArguments } from '../faults/arguments.mjs'
import { FAULTS } from '../faults/catalogue.mjs'
import { newPhase } from '../faults/load.mjs'
import { unevenness } from '../faults/shards.mjs'
import { trendOf } from '../faults/soak.mjs'
import { aligned, describeRows, quantile } from '../faults/table.mjs'

const MIB = 1024 ** 2
const row = (heapMib, sockets) => ({ heapBytes: heapMib * MIB, sockets: { after: sockets } })

it('counts whatever is not a 200', () => {
  const phase = newPhase()
  for (const status of [200, 500, 'ECONNRESET', 200]) phase.add(status, 5, '/isr/x')
  expect(phase.durations).toHaveLength(4)
  expect(phase.failures).toEqual(['/isr/x: 500 after 5 ms', '/isr/x: ECONNRESET after 5 ms'])
})

describe('the trend of a soak', () => {
  it('is flat when the last third is like the first, whatever came in between', () => {
    expect(trendOf([row(80, 2), row(80, 2), row(300, 9), row(300, 9), row(82, 2), row(81, 2)]).isFlat).toBe(
      true,
    )
  })

  it('is not when heap or sockets grow', () => {
    expect(trendOf([80, 90, 100, 110, 120, 130].map((mib) => row(mib, 2))).isFlat).toBe(false)
    expect(trendOf([2, 2, 3, 3, 4, 4].map((sockets) => row(80, sockets))).isFlat).toBe(false)
  })
})

it('entries are even within 20 percent', () => {
  expect(unevenness([1000, 1190, 810])).toEqual([])
  expect(unevenness([1000, 1210, 790])).toEqual(['entries are spread 1000, 1210, 790: 21 percent off'])
})

describe('the table', () => {
  it('says what was measured', () => {
    const text = describeRows([
      {
        what: 'SIGSTOP',
        requests: 300,
        failures: 1,
        healthy: [1, 2, 3],
        faulted: [10, 20, 900],
        longestMs: 901,
        renders: 7,
        sockets: { most: 3, after: 2 },
        heapGrowth: 1.5 * MIB,
        recoverySeconds: undefined,
        invalidations: { issued: 8, held: 7 },
      },
    ])
    expect(text.split('\n')[1].split(/ {2,}/)).toEqual([
      'SIGSTOP',
      '300',
      '1',
      '2',
      '20',
      '3',
      '900',
      '901',
      '7',
      '3, then 2',
      '1.5',
      'never',
      '7 of 8 hold',
    ])
  })

  it('aligns numbers to the right', () => {
    expect(
      aligned([
        ['a', 'long'],
        ['bc', '1'],
      ]),
    ).toBe('a   long\nbc     1')
  })

  it('knows a quantile from the last value', () => {
    expect(quantile([3, 1, 2], 0.5)).toBe(2)
    expect(quantile([3, 1, 2], 0.99)).toBe(3)
    expect(quantile([], 0.5)).toBe(undefined)
  })
})

describe('arguments', () => {
  it('choose cells and faults', () => {
    const { cells, soakMs } = readArguments(['--driver', 'redis', '--only', 'hung,denied', '--minutes', '2'])
    const faults = FAULTS.filter(({ name }) => ['hung', 'denied'].includes(name))
    expect(cells).toEqual([
      { topology: 'single', preset: 'strict', driver: 'redis', faults },
      { topology: 'single', preset: 'l1-pubsub', driver: 'redis', faults },
    ])
    expect(soakMs).toBe(120_000)
    for (const cell of readArguments([]).cells) expect(cell.faults).toEqual(FAULTS)
  })

  it('choose topologies, each with faults of its own', () => {
    const { cells } = readArguments(['--topology', 'all', '--only', 'planned', '--preset', 'strict'])
    expect(cells.map(({ topology, driver }) => [topology, driver])).toEqual([
      ['cluster', 'ioredis'],
      ['cluster', 'redis'],
      ['sentinel', 'ioredis'],
      ['sentinel', 'redis'],
    ])
  })

  it.each([
    ['--only', 'nothing'],
    ['--only', 'resharding'],
    ['--preset', 'loose'],
    ['--topology', 'ring'],
    ['--minutes', '0'],
    ['--sabotage', 'nothing'],
  ])('refuse %s %s', (...argv) => expect(() => readArguments(argv)).toThrow(`${argv[0]} ${argv[1]}`))
})
