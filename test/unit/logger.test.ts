import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { DistributedCacheError } from '../../src/errors'
import { type BoundedLogger, createLogger } from '../../runtime/logger'

let lines: string[]
let log: BoundedLogger

beforeEach(() => {
  vi.useFakeTimers()
  lines = []
  log = createLogger((line) => lines.push(line.replace('[next-distributed-cache] ', '')))
})
afterEach(() => vi.useRealTimers())

it('says the first of a topic at once, and the rest when its time is over', () => {
  log('a', 'first')
  for (let i = 1; i <= 5; i++) log('a', `more ${i}`)
  log('b', 'other')
  expect(lines).toEqual(['a: first', 'b: other'])
  vi.advanceTimersByTime(10_000)
  expect(lines.slice(2)).toEqual(['a: more 5 (and 4 more like this)'])
})

it('a line bears the prefix once', () => {
  log('a', new DistributedCacheError('TIMEOUT', 'Redis did not answer.').message)
  expect(lines).toEqual(['a: Redis did not answer.'])
})

it('a topic that falls silent loses no count and leaves nothing behind', () => {
  log('a', 'first')
  log('a', 'second')
  vi.advanceTimersByTime(60_000)
  expect(lines).toEqual(['a: first', 'a: second'])
  expect(vi.getTimerCount()).toBe(0)
  log('a', 'third')
  expect(lines.at(-1)).toBe('a: third')
})

it('a topic that never rests is one line in ten seconds, and every message is counted', () => {
  for (let i = 0; i < 100_000; i++) {
    log('a', 'x')
    vi.advanceTimersByTime(1)
  }
  vi.advanceTimersByTime(20_000)
  expect(lines.length).toBeLessThanOrEqual(12)
  const counted = lines.map((line) => 1 + Number(/and (\d+) more/.exec(line)?.[1] ?? 0))
  expect(counted.reduce((sum, count) => sum + count, 0)).toBe(100_000)
})

it('topics without end share one line, and are counted', () => {
  for (let i = 0; i < 10_000; i++) log(`topic ${i}`, 'x')
  expect(lines.length).toBe(51)
  expect(vi.getTimerCount()).toBe(51)
  vi.advanceTimersByTime(10_000)
  expect(lines.at(-1)).toBe('Other messages: topic 9999: x (and 9948 more like this)')
  vi.advanceTimersByTime(10_000)
  expect(vi.getTimerCount()).toBe(0)
})

it('at the end of the process nothing is kept back', () => {
  log('a', 'first')
  log('a', 'second')
  log.flush()
  expect(lines).toEqual(['a: first', 'a: second'])
})

it('what ended meanwhile is not said afterwards, whichever way it went', () => {
  log('down', 'first', 'up')
  log('up', 'first', 'down')
  log('down', 'second', 'up')
  log('up', 'second', 'down')
  log('down', 'third', 'up')
  vi.advanceTimersByTime(60_000)
  expect(lines).toEqual(['down: first', 'up: first', 'down: third'])
  expect(vi.getTimerCount()).toBe(0)
})
