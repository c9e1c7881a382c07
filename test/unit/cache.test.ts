import { expect, it, vi } from 'vitest'
import { Cache } from '../../runtime/cache/cache'
import type { CacheParts } from '../../runtime/cache/cache-parts'
import { type JudgedRead, NO_ANSWER } from '../../runtime/cache/judge'
import { RequestBudgets } from '../../runtime/cache/request-budget'
import type { Claim } from '../../runtime/cache/single-flight'
import { createKeyNames } from '../../src/key-names'

it('a generation of this process that ended while its reply was read is not taken for one under way', async () => {
  const missing: JudgedRead = { ...NO_ANSWER, clock: 1, tier: 'store' }
  const found = { ...missing, entry: {}, verdict: 'fresh', age: 'fresh' } as JudgedRead
  const reads = [missing, found]
  const claim = vi.fn(async (): Promise<Claim> => ({ role: 'changed' }))
  const early: Claim = { role: 'follower', sameProcess: true, livesMs: 1_000 }
  const cache = new Cache({
    names: createKeyNames('ndc', 'test'),
    budgets: new RequestBudgets(1_000),
    journal: { overflow: 0, behind: false },
    reader: { expects: () => false, read: async () => reads.shift() },
    flight: {
      waitMs: 1_000,
      leads: () => false,
      claimEarly: () => ({ take: () => early, end() {} }),
      claim,
    },
    emit() {},
    log() {},
  } as unknown as CacheParts)
  expect(await cache.read('use-cache', 'key', { dedupedByNext: true })).toBe(found)
  expect(claim).toHaveBeenCalledTimes(1)
})
