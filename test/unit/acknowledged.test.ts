import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Acknowledged } from '../../runtime/store/acknowledged'

const SECOND = 1_000_000
const hard = (tag: string) => ({ tag, windowMicros: undefined })

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('remembers each tag once, with the clocks that it got', () => {
  const acknowledged = new Acknowledged()
  expect(acknowledged.recent()).toBeUndefined()
  acknowledged.remember(100, 100, [hard('a'), { tag: 'b', windowMicros: 5 * SECOND }])
  acknowledged.remember(200, 200, [{ tag: 'a', windowMicros: SECOND }])
  // Heard of once more, and late: changes nothing.
  acknowledged.remember(100, 100, [hard('a')])
  expect(acknowledged.recent()).toEqual({
    records: [
      ['b', { hard: 0, soft: [{ clock: 100, deadline: 100 + 5 * SECOND }] }],
      ['a', { hard: 100, soft: [{ clock: 200, deadline: 200 + SECOND }] }],
    ],
    floor: 0,
    forgotten: 0,
  })
})

it('forgets after a minute', () => {
  const acknowledged = new Acknowledged()
  acknowledged.remember(100, 100, [hard('a')])
  acknowledged.rememberFloor(150)
  vi.advanceTimersByTime(40_000)
  acknowledged.remember(200, 200, [hard('b')])
  vi.advanceTimersByTime(20_001)
  expect(acknowledged.recent()).toMatchObject({ records: [['b', { hard: 200 }]], floor: 0, forgotten: 0 })
  acknowledged.rememberFloor(300)
  vi.advanceTimersByTime(40_001)
  expect(acknowledged.recent()).toMatchObject({ records: [], floor: 300 })
  vi.advanceTimersByTime(20_001)
  expect(acknowledged.recent()).toBeUndefined()
})

it('is bounded: of those for which there is no room it remembers the newest clock, for a minute', () => {
  const acknowledged = new Acknowledged()
  for (let clock = 1; clock <= 20_000; clock++) acknowledged.remember(clock, clock, [hard(`tag-${clock}`)])
  const recent = acknowledged.recent()
  expect(recent?.records).toHaveLength(5_000)
  expect(recent?.records[0]).toEqual(['tag-15001', { hard: 15_001, soft: [] }])
  expect(recent?.forgotten).toBe(15_000)
  vi.advanceTimersByTime(60_001)
  acknowledged.remember(30_000, 30_000, [hard('later')])
  expect(acknowledged.recent()).toMatchObject({ records: [['later', { hard: 30_000 }]], forgotten: 0 })
})
