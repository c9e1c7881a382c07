import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  applyInvalidation,
  formatTagRecord,
  judge,
  judgeTag,
  MAX_SOFT_WINDOWS,
  NO_RECORD,
  parseTagRecord,
  type TagRecord,
} from '../../src/tag-state'

const SECOND = 1_000_000

describe('one tag', () => {
  it('hard: everything generated before is expired, everything after is fresh', () => {
    const record = applyInvalidation(NO_RECORD, 100, undefined, 1000)
    expect(judgeTag(record, 99, 1000)).toBe('expired')
    expect(judgeTag(record, 100, 1000)).toBe('fresh')
  })

  it('soft: stale until the deadline, then expired', () => {
    const record = applyInvalidation(NO_RECORD, 100, 5 * SECOND, 1000)
    expect(judgeTag(record, 99, 1000)).toBe('stale')
    expect(judgeTag(record, 99, 1000 + 5 * SECOND)).toBe('expired')
    expect(judgeTag(record, 100, 1000 + 5 * SECOND)).toBe('fresh')
  })

  it('hard, then soft: what the hard one expired stays expired', () => {
    const hard = applyInvalidation(NO_RECORD, 100, undefined, 1000)
    const both = applyInvalidation(hard, 200, 5 * SECOND, 2000)
    expect(judgeTag(both, 99, 2000)).toBe('expired')
    expect(judgeTag(both, 150, 2000)).toBe('stale')
  })

  it('soft, then soft: each generation keeps its own deadline', () => {
    const first = applyInvalidation(NO_RECORD, 100, 5 * SECOND, 0)
    const second = applyInvalidation(first, 200, 10 * SECOND, SECOND)
    expect(judgeTag(second, 99, 6 * SECOND)).toBe('expired')
    expect(judgeTag(second, 150, 6 * SECOND)).toBe('stale')
    expect(judgeTag(second, 150, 11 * SECOND)).toBe('expired')
  })

  it('a shorter window covers the longer one before it', () => {
    const long = applyInvalidation(NO_RECORD, 100, 100 * SECOND, 0)
    const short = applyInvalidation(long, 200, 5 * SECOND, 0)
    expect(short.soft).toEqual([{ clock: 200, deadline: 5 * SECOND }])
  })

  it('a window of 0 is hard', () => {
    expect(applyInvalidation(NO_RECORD, 100, 0, 0)).toEqual({ hard: 100, soft: [] })
  })
})

const step = fc.record({
  windowMicros: fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
  pause: fc.integer({ min: 0, max: 6 }),
})

it('agrees with a model that remembers every invalidation; merging only ever expires sooner', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), fc.nat(40), fc.nat(100), (steps, fence, later) => {
      let record: TagRecord = NO_RECORD
      let now = 0
      let clock = 0
      const all: { clock: number; deadline: number }[] = []
      let overflowed = false
      for (const { windowMicros, pause } of steps) {
        now += pause
        clock += 3
        const alive = all.filter(({ deadline }) => deadline > now).length
        overflowed ||= alive >= MAX_SOFT_WINDOWS
        record = applyInvalidation(record, clock, windowMicros, now)
        all.push({ clock, deadline: windowMicros ? now + windowMicros : 0 })
      }
      now += later
      const newer = all.filter((event) => event.clock > fence)
      const exact = newer.some(({ deadline }) => deadline <= now)
        ? 'expired'
        : newer.length > 0
          ? 'stale'
          : 'fresh'
      const said = judgeTag(record, fence, now)
      if (!overflowed) expect(said).toBe(exact)
      else if (said !== exact) expect([said, exact]).toEqual(['expired', 'stale'])
      expect(parseTagRecord(formatTagRecord(record))).toEqual(record)
    }),
    { numRuns: 3000 },
  )
})

it('an entry below the floor is expired whatever its tags say', () => {
  const view = { clock: 50, floor: 40, incarnation: 'x', records: new Map() }
  expect(judge(view, 39, [], 0)).toBe('expired')
  expect(judge(view, 40, [], 0)).toBe('fresh')
})

it.each(['', 'x', '1 2', '1  2', '-1', '1.5', '99999999999999999', '1 2 3 4 5 6 7 8 9 10 11'])(
  'refuses the record %j',
  (text) => expect(parseTagRecord(text)).toBeUndefined(),
)
