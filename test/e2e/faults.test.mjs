// The short form of `npm run test:faults`: two cells, every fault, counts only.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { prepareApp } from '../../scripts/lib/prepare-app.mjs'
import { FAULTS } from '../faults/catalogue.mjs'
import { openCell } from '../faults/cell.mjs'
import { PACES } from '../faults/run-fault.mjs'
import { findCell } from './cells'

// Whichever the chosen versions of Next have; both were built for other tests already.
const chosen = [
  { preset: 'strict', cell: findCell({ variant: 'components', driver: 'ioredis' }) },
  { preset: 'l1-pubsub', cell: findCell({ variant: 'components', driver: 'redis' }) },
].filter(({ cell }) => cell !== undefined)

describe.each(chosen)('$preset, $cell.name', ({ preset, cell }) => {
  let opened
  beforeAll(async () => {
    const app = await prepareApp(cell.choice)
    opened = await openCell({ app, preset, keyPrefix: cell.keyPrefix, seed: 1, pace: PACES.short })
  })
  afterAll(() => opened?.close())

  test.each(FAULTS)(
    '$what: no failure, no lost invalidation, and back',
    { timeout: 5 * 60_000 },
    async (fault) => {
      const { requests, invalidations, problems } = await opened.run(fault)
      expect(problems, opened.arena.output()).toEqual([])
      // A run in which nothing was asked proves nothing.
      expect(requests).toBeGreaterThanOrEqual(PACES.short.requests)
      expect(invalidations).toEqual({ issued: PACES.short.victims, held: PACES.short.victims })
    },
  )
})
