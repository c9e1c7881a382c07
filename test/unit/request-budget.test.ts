import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { RequestBudgets } from '../../runtime/cache/request-budget'

let budgets: RequestBudgets

beforeEach(() => {
  vi.useFakeTimers()
  budgets = new RequestBudgets(1_000)
})
afterEach(() => {
  budgets.close()
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

const wait = (ms: number) => () => new Promise<void>((resolve) => setTimeout(resolve, ms))
/** Lets time pass until it is over. */
async function spend(request: object | undefined, ms: number): Promise<void> {
  const spent = budgets.of(request).spend(wait(ms))
  await vi.advanceTimersByTimeAsync(ms)
  await spent
}
/** Steps of the clock are 10 ms. */
const about = (ms: number) => [ms - 25, ms + 25] as const
function expectLeft(request: object, ms: number): void {
  const { leftMs } = budgets.of(request)
  const [least, most] = about(ms)
  expect(leftMs).toBeGreaterThanOrEqual(Math.max(0, least))
  expect(leftMs).toBeLessThanOrEqual(most)
}

it('reads of one request share a budget, requests do not', async () => {
  const request = {}
  await spend(request, 300)
  expectLeft(request, 700)
  await spend(request, 300)
  expectLeft(request, 400)
  expectLeft({}, 1_000)
})

it('without a known request each read has a budget of its own', async () => {
  await spend(undefined, 900)
  expect(budgets.of(undefined).leftMs).toBe(1_000)
})

it('reads that wait at the same time are charged once', async () => {
  const request = {}
  const waiting = Array.from({ length: 10 }, (_, index) => budgets.of(request).spend(wait(50 + 10 * index)))
  await vi.advanceTimersByTimeAsync(140)
  await Promise.all(waiting)
  expectLeft(request, 860)
  const first = budgets.of(request).spend(wait(200))
  await vi.advanceTimersByTimeAsync(150)
  const second = budgets.of(request).spend(wait(100))
  await vi.advanceTimersByTimeAsync(100)
  await Promise.all([first, second])
  expectLeft(request, 610)
})

it('a wait of seconds in which nobody asks for the time is charged as a whole', async () => {
  const patient = new RequestBudgets(10_000)
  const budget = patient.of({})
  const waiting = budget.spend(wait(4_000))
  await vi.advanceTimersByTimeAsync(4_000)
  await waiting
  expect(budget.leftMs).toBeLessThanOrEqual(6_025)
  expect(budget.leftMs).toBeGreaterThanOrEqual(5_975)
  // Once nobody waits, the timer stops by itself.
  await vi.advanceTimersByTimeAsync(2_000)
  expect(vi.getTimerCount()).toBe(0)
})

it('what is left shrinks while something is under way', async () => {
  const request = {}
  const waiting = budgets.of(request).spend(wait(400))
  await vi.advanceTimersByTimeAsync(200)
  expectLeft(request, 800)
  await vi.advanceTimersByTimeAsync(200)
  await waiting
})

it('a request that used its budget waits for nothing more, also when the wait failed', async () => {
  const request = {}
  const failed = budgets.of(request).spend(async () => {
    await wait(1_030)()
    throw new Error('no answer')
  })
  const caught = expect(failed).rejects.toThrow('no answer')
  await vi.advanceTimersByTimeAsync(1_030)
  await caught
  const asked = vi.fn()
  await expect(budgets.of(request).spend(asked)).rejects.toThrow('requestBudgetMs')
  expect(asked).not.toHaveBeenCalled()
})

it('time in which this process could not run is not charged', async () => {
  const request = {}
  const { now } = performance
  let blockedMs = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + blockedMs)
  for (let i = 0; i < 5; i++) {
    const spent = budgets.of(request).spend(wait(10))
    // A render takes the event loop for longer than the whole budget: no timer runs meanwhile.
    blockedMs += 3_000
    await vi.advanceTimersByTimeAsync(10)
    await spent
  }
  expect(budgets.of(request).leftMs).toBeGreaterThan(800)
  clock.mockRestore()
})

it('its clock stops when nobody asks', async () => {
  await spend({}, 10)
  expect(vi.getTimerCount()).toBe(1)
  await vi.advanceTimersByTimeAsync(2_000)
  expect(vi.getTimerCount()).toBe(0)
  await spend({}, 10)
})
