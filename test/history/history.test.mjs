import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compilePackage } from './compile.mjs'
import { runHistory } from './run-history.mjs'

// The short form of scripts/history.mjs: fixed seeds, real processes, real Redis.
const TRAFFIC_MS = 20_000
/** A bound: a run ends at its first violation, most within ten seconds. */
const BUG_MS = 60_000
const LIMIT_MS = 120_000

let compiled
beforeAll(async () => void (compiled = await compilePackage()))
afterAll(() => compiled?.remove())

describe('a history with faults', () => {
  it.each([
    { preset: 'strict', driver: 'ioredis', seed: 21 },
    { preset: 'l1-pubsub', driver: 'redis', seed: 22 },
  ])(
    '$preset over $driver holds what was acknowledged',
    async (choice) => {
      const { violations, counts } = await runHistory({
        ...choice,
        ms: TRAFFIC_MS,
        replicas: 3,
        dist: compiled.directory,
      })
      // As the message too: a report keeps messages, not differences.
      expect(violations, violations.join('\n')).toEqual([])
      // A run in which nothing happened proves nothing.
      expect(counts.judged).toBeGreaterThan(500)
      expect(counts.acknowledged).toBeGreaterThan(10)
    },
    LIMIT_MS,
  )
})

describe('the checker finds', () => {
  it.each([
    { sabotage: 'fence', preset: 'strict', faults: false },
    { sabotage: 'gap', preset: 'l1-pubsub', only: ['deafen'] },
    { sabotage: 'overwrite', preset: 'l1-pubsub', faults: false },
  ])(
    '$sabotage, when it is disabled',
    async (choice) => {
      const { violations } = await runHistory({
        ...choice,
        driver: 'ioredis',
        seed: 1,
        ms: BUG_MS,
        replicas: 3,
        maxViolations: 1,
        dist: compiled.directory,
      })
      expect(violations.length).toBeGreaterThan(0)
      expect(violations[0]).not.toMatch(/^quiescence/)
    },
    LIMIT_MS,
  )
})
