import { describe, expect, it, vi } from 'vitest'
import { Cache } from '../../runtime/cache/cache'
import type { CacheParts } from '../../runtime/cache/cache-parts'
import { type JudgedRead, NO_ANSWER } from '../../runtime/cache/judge'
import { RequestBudgets } from '../../runtime/cache/request-budget'
import type { Claim } from '../../runtime/cache/single-flight'
import { LocalEntries } from '../../runtime/cache/local-entries'
import type { NewEntry } from '../../src/entry'
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

describe('a write that does not replace what is stored', () => {
  const entry: NewEntry = {
    tags: [],
    detail: {},
    chunks: [Buffer.from('body')],
    fence: 1,
    bornAt: 1,
    modifiedAt: 1,
    retryAt: 0,
    revalidate: 900,
    expire: 3600,
  }

  it.each([
    ['something newer is there', async () => 'superseded'],
    ['Redis does not answer', () => Promise.reject(new Error('no answer'))],
  ])('%s: what memory holds is no longer proven', async (_what, write) => {
    const local = new LocalEntries({ maxBytes: 1e6, maxEntryBytes: 1e6 })
    const names = createKeyNames('ndc', 'test')
    const cache = new Cache({
      names,
      local,
      format: { compression: { codec: 'none' }, maxEntryBytes: 1e6 },
      options: { maxTtlSeconds: 3600 },
      store: { write },
      reader: { damagedHead() {}, written() {} },
      journal: { overflow: 0, behind: false },
      emit() {},
      log() {},
    } as unknown as CacheParts)
    const key = names.entry('use-cache', 'key')
    const proof = local.begin(key)
    const old = { ...entry, body: Buffer.from('old'), bodyBytes: 3, stamp: Buffer.from('old') }
    local.keep(key, old as never, proof)
    local.end(key, proof)
    expect(local.getProven(key)).toBeDefined()
    await cache.write('use-cache', 'key', entry)
    expect([local.getProven(key), local.get(key)?.body.toString()]).toEqual([undefined, 'old'])
  })
})
