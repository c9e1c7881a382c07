/** Callers that wait, bounded, until something is ready. */
export interface Waiters {
  /** @param failure what to reject with when the time is over */
  wait(timeoutMs: number, failure: () => Error): Promise<void>
  resolveAll(): void
  rejectAll(error: Error): void
}

export function createWaiters(): Waiters {
  const waiters = new Set<{ resolve(): void; reject(error: Error): void }>()
  return {
    wait: (timeoutMs, failure) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => waiter.reject(failure()), timeoutMs)
        const finish = (settle: () => void) => {
          clearTimeout(timer)
          waiters.delete(waiter)
          settle()
        }
        const waiter = {
          resolve: () => finish(resolve),
          reject: (error: Error) => finish(() => reject(error)),
        }
        waiters.add(waiter)
      }),
    resolveAll() {
      for (const { resolve } of waiters) resolve()
    },
    rejectAll(error) {
      for (const { reject } of waiters) reject(error)
    },
  }
}
