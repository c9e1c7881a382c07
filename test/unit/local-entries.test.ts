import { describe, expect, it } from 'vitest'
// @ts-ignore: no declarations
import { createRandom } from '../differential/random.mjs'
import { LocalEntries, type Proof } from '../../runtime/cache/local-entries'
import type { Entry } from '../../src/entry'

const MAX_BYTES = 200_000
const MAX_ENTRY_BYTES = 40_000
const SEEDS = [1, 2, 3, 4, 5]
const STEPS = 4_000

interface Random {
  next(): number
  integer(below: number): number
  pick<T>(from: readonly T[]): T
}

function entryOf(bytes: number): Entry {
  return {
    tags: ['t'],
    detail: {},
    fence: 1,
    bornAt: 1,
    modifiedAt: 1,
    retryAt: 0,
    revalidate: 900,
    expire: 3600,
    body: Buffer.alloc(bytes),
    stamp: Buffer.alloc(24),
  } as unknown as Entry
}

describe('local memory under a random workload', () => {
  it.each(SEEDS)('never holds more than its bound, nor more than it says: seed %i', (seed) => {
    const random = createRandom(seed) as Random
    const local = new LocalEntries({ maxBytes: MAX_BYTES, maxEntryBytes: MAX_ENTRY_BYTES })
    const keys = Array.from({ length: 60 }, (_, index) => `key-${index}`)
    const open: [string, Proof][] = []
    const actions: (() => void)[] = [
      () => void local.get(random.pick(keys)),
      () => void local.getProven(random.pick(keys)),
      () => {
        const key = random.pick(keys)
        open.push([key, local.begin(key)])
      },
      () => {
        const [key, proof] = open.splice(random.integer(open.length || 1), 1)[0] ?? []
        if (key === undefined || proof === undefined) return
        // From nothing to more than is taken.
        local.keep(key, entryOf(Math.floor(random.next() ** 3 * 60_000)), proof)
        local.end(key, proof)
      },
      () => local.overwritten(random.pick(keys)),
      () => local.drop(random.pick(keys)),
      () => local.endEpoch(),
    ]
    let fullest = 0
    for (let step = 0; step < STEPS; step++) {
      random.pick(actions)()
      const bodies = keys.reduce((sum, key) => sum + (local.get(key)?.body.length ?? 0), 0)
      expect(bodies).toBeLessThanOrEqual(local.bytes)
      expect(local.bytes).toBeLessThanOrEqual(MAX_BYTES)
      fullest = Math.max(fullest, local.bytes)
    }
    // A workload that never fills it proves nothing.
    expect(fullest).toBeGreaterThan(MAX_BYTES * 0.8)
  })
})
