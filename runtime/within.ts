import { DistributedCacheError } from '../src/errors'
import type { Milliseconds } from '../src/units'

/**
 * Stops waiting for something that goes on by itself, after a time: for what has no timeout of this caller's own.
 *
 * @throws DistributedCacheError TIMEOUT after the time; what the promise rejects with
 */
export async function within<T>(promise: Promise<T>, timeoutMs: Milliseconds | undefined): Promise<T> {
  if (timeoutMs === undefined) return promise
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(timeoutError(timeoutMs)), timeoutMs)
  })
  try {
    return await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
  }
}

/** The same for whoever goes on in either case: resolves with the promise, or after the time. */
export async function orAfter(promise: Promise<unknown>, timeoutMs: Milliseconds): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs)))
  try {
    await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
  }
}

/** What every wait for Redis that took too long rejects with. */
export function timeoutError(timeoutMs: Milliseconds): DistributedCacheError {
  return new DistributedCacheError('TIMEOUT', `Redis did not answer within ${timeoutMs} ms.`)
}
