/** Later than this, a timer tells of a blocked event loop and not of a slow server; in milliseconds. */
const LATE_MS = 20

/**
 * A timeout that blames only the other side. A render can block the event loop for longer than the timeout:
 * then the timer comes due before anything was read, or even written, and the reply may be waiting in the
 * socket. Time in which this process could not run is given back, once, and what has arrived is read (the
 * poll phase comes before setImmediate) before `onTimeout` is called.
 *
 * @param keepsAlive whether the process has to stay for it
 * @returns cancels it
 */
export function startFairTimeout(ms: number, onTimeout: () => void, keepsAlive: boolean): () => void {
  let dueAt = 0
  let gaveBack = false
  let timer: NodeJS.Timeout
  let immediate: NodeJS.Immediate | undefined

  function arm(delayMs: number): void {
    dueAt = performance.now() + delayMs
    timer = setTimeout(fired, delayMs)
    if (!keepsAlive) timer.unref()
  }
  function fired(): void {
    const lateMs = performance.now() - dueAt
    if (lateMs > LATE_MS && !gaveBack) {
      gaveBack = true
      arm(Math.min(lateMs, ms))
    } else {
      immediate = setImmediate(onTimeout)
    }
  }
  arm(ms)
  return () => {
    clearTimeout(timer)
    clearImmediate(immediate)
  }
}
