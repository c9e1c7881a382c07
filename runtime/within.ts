import { DistributedCacheError } from '../src/errors'
import type { Milliseconds } from '../src/units'

/** Stops waiting for something that goes on by itself, after a time: for what has no timeout of this caller's own. */
export async function within<T>(promise: Promise<T>, timeoutMs: Milliseconds | undefined): Promise<T> {
  if (timeoutMs === undefined) return promise
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_resolve, reject) => {
    const late = (): void =>
      reject(new DistributedCacheError('TIMEOUT', `Redis took longer than ${timeoutMs} ms.`))
    timer = setTimeout(late, timeoutMs)
  })
  try {
    return await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
  }
}
