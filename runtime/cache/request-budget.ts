import { DistributedCacheError } from '../../src/errors'
import type { Patience } from '../../src/store'
import type { Milliseconds } from '../../src/units'
import { RunningTime } from './running-time'

/** Less than this is not worth a command. */
const LEAST_MS: Milliseconds = 1

/**
 * What the reads of one request may wait for Redis, together. Reads that wait at the same time are charged once,
 * and time in which this process could not run is not charged.
 */
export class RequestBudget implements Patience {
  private spentMs: Milliseconds = 0
  private waiting = 0
  private since: Milliseconds = 0

  constructor(
    private readonly totalMs: Milliseconds,
    private readonly time: RunningTime,
  ) {}

  get leftMs(): Milliseconds {
    const leftMs = this.totalMs - this.spentMs - (this.waiting > 0 ? this.time.now() - this.since : 0)
    return leftMs < LEAST_MS ? 0 : Math.ceil(leftMs)
  }

  /** Does something that waits for Redis; nothing, once the budget is used up. */
  async spend<T>(wait: (patience: Patience) => Promise<T>): Promise<T> {
    this.begin()
    try {
      return await wait(this)
    } finally {
      this.end()
    }
  }

  /**
   * Begins to wait for Redis, until `end`: for the one wait that every read has, where `spend` would cost a promise.
   *
   * @throws once the budget is used up
   */
  begin(): void {
    if (this.leftMs === 0) throw spent()
    if (this.waiting++ === 0) this.since = this.time.begin()
  }

  end(): void {
    if (--this.waiting === 0) this.spentMs += this.time.end() - this.since
  }
}

/** Hands out the budget of each request; a read on behalf of no known request has one of its own. */
export class RequestBudgets {
  private readonly budgets = new WeakMap<object, RequestBudget>()
  private readonly time = new RunningTime()

  constructor(private readonly totalMs: Milliseconds) {}

  of(request: object | undefined): RequestBudget {
    if (request === undefined) return new RequestBudget(this.totalMs, this.time)
    let budget = this.budgets.get(request)
    if (budget === undefined) {
      budget = new RequestBudget(this.totalMs, this.time)
      this.budgets.set(request, budget)
    }
    return budget
  }

  close(): void {
    this.time.stop()
  }
}

let error: DistributedCacheError | undefined

/** One for all: a request that is out of time shall cost nothing more. */
function spent(): DistributedCacheError {
  return (error ??= new DistributedCacheError(
    'TIMEOUT',
    'The request has waited for Redis as long as it may (timeouts.requestBudgetMs).',
  ))
}
