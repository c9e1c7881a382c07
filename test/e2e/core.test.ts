import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Fleet, startFleet } from '../support/e2e-fleet'
import { prepareApp } from '../support/e2e-tools'
import { cells } from './cells'
import type { Core } from './core/context'
import { testActions, testTags } from './core/invalidation'
import { testPaths } from './core/paths'
import { testSharing } from './core/sharing'
import { testTime } from './core/time'

// Two replicas of each cell, started either way, behave like one server.
describe.each(cells)('$name', (cell) => {
  describe.each(cell.modes)('%s', (mode) => {
    let fleet: Fleet | undefined
    let core: Core | undefined
    const getCore = (): Core => {
      if (core === undefined) throw new Error('The replicas did not start')
      return core
    }

    beforeAll(async () => {
      const app = await prepareApp(cell.choice)
      fleet = await startFleet()
      const start = async (name: string) => {
        const standalone = mode === 'standalone' ? await fleet?.standalone(app) : undefined
        return (fleet as Fleet).start({ name, app, ...(standalone === undefined ? {} : { standalone }) })
      }
      core = { cell, fleet, a: await start('a'), b: await start('b') }
    })
    afterAll(() => fleet?.stop())

    testTime(cell, getCore)
    testSharing(cell, getCore)
    testTags(cell, getCore)
    testActions(getCore)
    testPaths(getCore)

    test('every key has an end, and no key name says what it holds', async () => {
      const { redis } = getCore().fleet
      const keys = (await redis.command('KEYS', '*')) as string[]
      expect(keys.length).toBeGreaterThan(20)
      for (const key of keys) {
        expect(key.slice(cell.keyPrefix.length)).toMatch(/^:(tags|[\w-]+:[rfiu]:\{[\w-]{43}\}(:lease)?)$/)
        // -1: no end; -2: it has ended since we asked for the keys.
        expect(await redis.command('PTTL', key)).not.toBe(-1)
      }
    })

    test('the replicas say once that the cache is on, and nothing else', () => {
      for (const replica of [getCore().a, getCore().b]) {
        const lines = replica
          .output()
          .split('\n')
          .filter((line) => line.includes('next-distributed-cache'))
        expect(lines).toHaveLength(1)
        expect(lines[0]).toMatch(new RegExp(`on: [\\w-]+ preset, ${cell.driver} to redis://127\\.0\\.0\\.1`))
      }
    })
  })
})
