// The short form of `npm run test:faults`: two cells, every fault, counts only; and one for each other topology.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { prepareApp } from '../../scripts/lib/prepare-app.mjs'
import { openCell } from '../faults/cell.mjs'
import { PACES } from '../faults/run-fault.mjs'
import { TOPOLOGIES } from '../faults/topologies.mjs'
import { findCell } from './cells'

// Whichever the chosen versions of Next have; both were built for other tests already.
const chosen = [
  { topology: 'single', preset: 'strict', cell: findCell({ variant: 'components', driver: 'ioredis' }) },
  { topology: 'single', preset: 'l1-pubsub', cell: findCell({ variant: 'components', driver: 'redis' }) },
  { topology: 'cluster', preset: 'l1-pubsub', cell: findCell({ variant: 'components', driver: 'ioredis' }) },
  { topology: 'sentinel', preset: 'strict', cell: findCell({ variant: 'components', driver: 'redis' }) },
].filter(({ cell }) => cell !== undefined)

/** A connection for commands to each primary, a subscriber, whoever listens to a sentinel; twice, in between. */
const MAX_SOCKETS = { single: 4, cluster: 8, sentinel: 6 }
/** A failover that loses invalidations is one that loses none, too. */
const EASIER = new Set(['tags-shard', 'failover'])
/** More than chance, and far less than what a leak of every request would leave. */
const MAX_GROWTH_BYTES = 64 * 1024 ** 2

describe.each(chosen)('$topology, $preset, $cell.name', ({ topology, preset, cell }) => {
  let opened
  const rows = []
  beforeAll(async () => {
    const app = await prepareApp(cell.choice)
    const { keyPrefix } = cell
    opened = await openCell({ app, preset, topology, keyPrefix, seed: 1, pace: PACES.short })
  })
  afterAll(() => opened?.close())

  test.each(TOPOLOGIES[topology].faults.filter(({ name }) => !EASIER.has(name)))(
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
    for (const { what, sockets } of rows)
      expect(sockets.after, what).toBeLessThanOrEqual(MAX_SOCKETS[topology])
    expect(rows.at(-1).heapBytes - rows[0].heapBytes).toBeLessThan(MAX_GROWTH_BYTES)
  })
})
