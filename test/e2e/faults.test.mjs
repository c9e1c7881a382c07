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

/** A command connection and a subscriber, and as many again that are on their way out or in. */
const MAX_SOCKETS = 4
/** More than chance, and far less than what a leak of every request would leave. */
const MAX_GROWTH_BYTES = 64 * 1024 ** 2

describe.each(chosen)('$preset, $cell.name', ({ preset, cell }) => {
  let opened
  const rows = []
  beforeAll(async () => {
    const app = await prepareApp(cell.choice)
    opened = await openCell({ app, preset, keyPrefix: cell.keyPrefix, seed: 1, pace: PACES.short })
  })
  afterAll(() => opened?.close())

  test.each(FAULTS)(
    '$what: no failure, no lost invalidation, and back',
    { timeout: 5 * 60_000 },
    async (fault) => {
      const row = await opened.run(fault)
      rows.push(row)
      const { requests, invalidations, problems } = row
      expect(problems, opened.arena.output()).toEqual([])
      // A run in which nothing was asked proves nothing.
      expect(requests).toBeGreaterThanOrEqual(PACES.short.requests)
      expect(invalidations).toEqual({ issued: PACES.short.victims, held: PACES.short.victims })
    },
  )

  test('after all of them, heap and sockets are what they were', () => {
    for (const { what, sockets } of rows) expect(sockets.after, what).toBeLessThanOrEqual(MAX_SOCKETS)
    expect(rows.at(-1).heapBytes - rows[0].heapBytes).toBeLessThan(MAX_GROWTH_BYTES)
  })
})
