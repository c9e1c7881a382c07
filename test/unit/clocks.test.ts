import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ClockHistory } from '../../src/clock-history'
import { ServerTime } from '../../src/server-time'

describe('the history of observed clocks', () => {
  it('fences with the newest observation at or before the beginning of a generation', () => {
    const history = new ClockHistory()
    history.observe(10, 100)
    history.observe(20, 200)
    expect(history.at(9)).toBeUndefined()
    expect(history.at(10)).toBe(100)
    expect(history.at(19.9)).toBe(100)
    expect(history.at(20)).toBe(200)
  })

  it('never answers more than was known, stays bounded and keeps the first observation', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3), { maxLength: 5000, minLength: 2000 }), (steps) => {
        const history = new ClockHistory()
        let at = 1
        let clock = 1
        history.observe(at, clock)
        const exact: [number, number][] = [[at, clock]]
        for (const step of steps) {
          at += 1
          clock += step
          history.observe(at, clock)
          exact.push([at, clock])
        }
        expect(history.at(1)).toBe(1)
        expect(history.latest).toBe(clock)
        for (const [time, known] of exact.filter((_, index) => index % 97 === 0)) {
          const fence = history.at(time)
          expect(fence).toBeDefined()
          expect(fence as number).toBeLessThanOrEqual(known)
        }
        expect((history as unknown as { observations: unknown[] }).observations.length).toBeLessThanOrEqual(
          1024,
        )
      }),
      { numRuns: 20 },
    )
  })
})

describe('server time', () => {
  const MINUTE = 60_000

  it('translates between clocks that are minutes apart', () => {
    const time = new ServerTime()
    time.sample(1_000_000, 1_000_002, (1_000_001 + 10 * MINUTE) * 1000)
    expect(time.toServer(1_000_500)).toBe((1_000_500 + 10 * MINUTE) * 1000)
    expect(time.toLocal((1_000_500 + 10 * MINUTE) * 1000)).toBeCloseTo(1_000_500)
  })

  it('prefers the sample with the shorter round trip, until it is old', () => {
    const time = new ServerTime()
    time.sample(0, 2, 1_000)
    time.sample(10, 110, 90_000)
    expect(time.toServer(1000)).toBe(1_000_000)
    time.sample(20_000, 20_100, 20_080_000)
    expect(time.toServer(20_000)).toBe(20_030_000)
  })

  it('believes a sample that contradicts the last one: a clock was set', () => {
    const time = new ServerTime()
    time.sample(0, 2, 1_000)
    time.sample(10, 60, (35 + MINUTE) * 1000)
    expect(time.toServer(100)).toBe((100 + MINUTE) * 1000)
  })
})
