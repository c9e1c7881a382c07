// The short form of `npm run test:differential`: one cell, its scenarios and one seed.
import { expect, it } from 'vitest'
import { readArguments } from '../differential/arguments.mjs'
import { runDifferential } from '../differential/differential.mjs'

const CELL = ['--driver', 'ioredis', '--bundler', 'turbopack', '--variant', 'components']

it.each(['strict', 'l1-pubsub'])(
  'three replicas show what stock shows (%s)',
  { timeout: 10 * 60_000 },
  async (preset) => {
    const lines = []
    const choice = readArguments(['--seeds', '1', '--ops', '60', '--preset', preset, ...CELL])
    const { divergences, sequences } = await runDifferential(choice, (line) => lines.push(line))
    expect(sequences).toBeGreaterThan(1)
    expect(divergences, lines.join('\n')).toBe(0)
  },
)
