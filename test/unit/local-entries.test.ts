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
    bodyBytes: bytes,
    stamp: Buffer.from(`record ${(records++).toString().padStart(17)}`),
  } as unknown as Entry
}

let records = 0

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
      () => {
        const key = random.pick(keys)
        const entry = local.get(key)
        // Text may need less than its body, or twice as much.
        const bytes = Math.floor((entry?.body.length ?? 0) * 2 * random.next())
        if (entry !== undefined) local.keepContent(key, entry, bytes, () => ({ bytes }))
      },
      () => local.overwritten(random.pick(keys)),
      () => local.drop(random.pick(keys)),
      () => local.endEpoch(),
    ]
    let fullest = 0
    let contents = 0
    for (let step = 0; step < STEPS; step++) {
      random.pick(actions)()
      const held = keys.map((key) => local.get(key))
      const kept = held.reduce((sum, entry) => sum + (entry?.content?.bytes ?? entry?.body.length ?? 0), 0)
      contents += held.filter((entry) => entry?.content !== undefined).length
      expect(kept).toBeLessThanOrEqual(local.bytes)
      expect(local.bytes).toBeLessThanOrEqual(MAX_BYTES)
      fullest = Math.max(fullest, local.bytes)
    }
    // A workload that never fills it proves nothing.
    expect(fullest).toBeGreaterThan(MAX_BYTES * 0.8)
    expect(contents).toBeGreaterThan(STEPS)
  })
})

it('tags count, which may be more than the body', () => {
  const local = new LocalEntries({ maxBytes: MAX_BYTES, maxEntryBytes: MAX_ENTRY_BYTES })
  const tags = Array.from({ length: 50 }, (_, index) => `${index}`.padEnd(200, 'x'))
  for (let index = 0; index < 50; index++) {
    const key = `key-${index}`
    local.keep(key, { ...entryOf(10), tags }, local.begin(key))
  }
  const held = Array.from({ length: 50 }, (_, index) => local.get(`key-${index}`)).filter(Boolean)
  expect(held.length).toBeGreaterThan(0)
  expect(held.length * 50 * 200).toBeLessThanOrEqual(MAX_BYTES)
})

describe('content in place of a body', () => {
  const LIMITS = { maxBytes: MAX_BYTES, maxEntryBytes: MAX_ENTRY_BYTES }
  function holding(entry: Entry): LocalEntries {
    const local = new LocalEntries(LIMITS)
    local.keep('k', entry, local.begin('k'))
    return local
  }
  /** As a later read finds the same record. */
  const again = (entry: Entry): Entry => ({ ...entry, stamp: Buffer.from(entry.stamp) })

  it('the body and the record that it is a view of are let go, and what is said of its size is what counts', () => {
    const record = Buffer.alloc(10_000, 7)
    const local = holding({ ...entryOf(9_952), body: record.subarray(48), stamp: record.subarray(0, 48) })
    const before = local.bytes
    local.keepContent('k', local.get('k')!, 6_000, () => ({ html: 'x' }))
    const held = local.get('k')
    expect(held).toMatchObject({ content: { value: { html: 'x' }, bytes: 6_000 } })
    expect(held?.body.length).toBe(0)
    expect(held?.stamp).toEqual(Buffer.alloc(48, 7))
    expect(held?.stamp.buffer).not.toBe(record.buffer)
    expect(local.bytes).toBe(before - (10_000 - 48) + 6_000)
  })

  it('it stays when the same record is found again, and goes with another one', () => {
    const entry = entryOf(100)
    const local = holding(entry)
    local.keepContent('k', entry, 50, () => ({}))
    local.endEpoch()
    local.keep('k', again(entry), local.begin('k'))
    expect(local.getProven('k')?.content).toBeDefined()
    local.keep('k', entryOf(100), local.begin('k'))
    expect(local.getProven('k')?.content).toBeUndefined()
  })

  it('is not taken of an entry that is not held any more, nor when it is too large: the body stays', () => {
    const old = entryOf(100)
    const local = holding(old)
    const present = entryOf(200)
    local.keep('k', present, local.begin('k'))
    const bytes = local.bytes
    local.keepContent('k', old, 50, () => ({}))
    local.keepContent('k', present, MAX_ENTRY_BYTES, () => ({}))
    expect(local.get('k')).toBe(present)
    expect(local.bytes).toBe(bytes)
  })

  it('does not prove anything', () => {
    const entry = entryOf(100)
    const local = holding(entry)
    local.overwritten('k')
    local.keepContent('k', entry, 50, () => ({}))
    expect(local.get('k')?.content).toBeDefined()
    expect(local.getProven('k')).toBeUndefined()
  })
})

describe('an overwrite that is announced', () => {
  it('voids what every read of the key proves that is under way, in whatever order they end, and no other', () => {
    const local = new LocalEntries({ maxBytes: MAX_BYTES, maxEntryBytes: MAX_ENTRY_BYTES })
    const orders = [
      [0, 1, 2],
      [2, 1, 0],
      [1, 0, 2],
      [1, 2, 0],
    ]
    for (const order of orders) {
      const proofs = [local.begin('k'), local.begin('k'), local.begin('k')]
      const other = local.begin('other')
      const left = new Set(proofs)
      for (const index of order) {
        local.overwritten('k')
        expect([...left].every(({ overwritten }) => overwritten)).toBe(true)
        for (const proof of proofs) proof.overwritten = false
        const proof = proofs[index]!
        local.end('k', proof)
        left.delete(proof)
        local.overwritten('k')
        // What has ended is out of reach.
        expect(proof.overwritten).toBe(false)
      }
      expect(other.overwritten).toBe(false)
      local.end('other', other)
      // Nothing is left of them: what begins now is not overwritten.
      const fresh = local.begin('k')
      expect(fresh).toEqual({ epoch: 0, overwritten: false, newer: undefined, older: undefined })
      local.end('k', fresh)
    }
  })
})

describe('what this process wrote', () => {
  const memory = () => new LocalEntries({ maxBytes: MAX_BYTES, maxEntryBytes: MAX_ENTRY_BYTES })

  it('is not replaced by what a read found before, whoever is told first', () => {
    const local = memory()
    const [before, after] = [entryOf(10), entryOf(10)]
    const read = local.begin('k')
    const write = local.begin('k')
    local.stored('k', after, write)
    local.end('k', write)
    local.keep('k', before, read)
    local.end('k', read)
    expect(local.getProven('k')).toBe(after)
  })

  it('is not proven when something else was stored while it was under way', () => {
    const local = memory()
    const [first, second] = [entryOf(10), entryOf(10)]
    const writes = [local.begin('k'), local.begin('k')] as const
    local.stored('k', first, writes[0])
    local.stored('k', second, writes[1])
    expect([local.getProven('k'), local.get('k')]).toEqual([undefined, second])
  })

  it('without an answer: neither what was held is proven, nor what is read until the write arrives', () => {
    const local = memory()
    const before = entryOf(10)
    const keep = () => {
      const read = local.begin('k')
      local.keep('k', before, read)
      local.end('k', read)
    }
    keep()
    local.notAnswered('k')
    expect([local.getProven('k'), local.get('k')]).toEqual([undefined, before])
    keep()
    expect(local.getProven('k')).toBe(before)
    local.announced('k', true)
    expect(local.getProven('k')).toBeUndefined()
  })

  it('with an answer: its announcement changes nothing', () => {
    const local = memory()
    const write = local.begin('k')
    const entry = entryOf(10)
    local.stored('k', entry, write)
    local.end('k', write)
    local.announced('k', true)
    expect(local.getProven('k')).toBe(entry)
    local.announced('k', false)
    expect(local.getProven('k')).toBeUndefined()
  })
})
