import type { Milliseconds } from '../src/units'

/** How long the end of the process may wait for Redis. */
export const END_DEADLINE_MS: Milliseconds = 2_000

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/** What a runtime has to bring to an end. Nothing here rejects. */
export interface Endable {
  /** Tries once more to send the invalidations that wait for Redis. */
  sendWhatWaits(): Promise<void>
  /** Gives up the leases; the commands are handed to the driver before this returns. */
  releaseLeases(): Promise<void>
  /** Says what has not been said yet: what the log kept back, and what is lost with this process. */
  sayWhatIsLeft(): void
  /** Lets writes arrive, within `END_DEADLINE_MS`, and ends every connection. */
  close(): Promise<void>
}

/**
 * Ends a runtime with its process, without a say in when and how that is. Where others listen to the signal (Next
 * does: it finishes what is under way and exits), requests may need the cache until the very end: nothing is
 * closed, invalidations that wait for Redis are tried once more, and leases are given up when the process exits, or when
 * that takes too long. Where nobody else listens, the signal would have ended the process at once: it does so as soon as
 * writes have arrived.
 */
export function endWithProcess(runtime: Endable, host: NodeJS.Process = process): () => void {
  let detached = false
  const onSignal = (signal: NodeJS.Signals): void => {
    // Process 1 of a container is not ended by a signal that nobody handles: it goes on serving until it is killed.
    if (host.listenerCount(signal) > 1 || host.pid === 1) {
      // The process may be gone before the next retry.
      void runtime.sendWhatWaits()
      // Some of them end the process when nobody but they listens: we are not there while they count.
      host.off(signal, onSignal)
      process.nextTick(() => {
        if (!detached) host.prependListener(signal, onSignal)
      })
      setTimeout(() => void runtime.releaseLeases(), END_DEADLINE_MS).unref()
      return
    }
    // A second signal then has its usual effect.
    host.off(signal, onSignal)
    const end = (): void => {
      runtime.sayWhatIsLeft()
      host.kill(host.pid, signal)
    }
    runtime.close().then(end, end)
  }
  const onExit = (): void => {
    // Nothing asynchronous happens any more, but a driver may write at once.
    void runtime.releaseLeases()
    runtime.sayWhatIsLeft()
  }
  const onBeforeExit = (): void => void runtime.close()

  // First, since others may remove themselves when they are called.
  for (const signal of SIGNALS) host.prependListener(signal, onSignal)
  host.once('exit', onExit)
  host.once('beforeExit', onBeforeExit)
  return () => {
    detached = true
    for (const signal of SIGNALS) host.off(signal, onSignal)
    host.off('exit', onExit)
    host.off('beforeExit', onBeforeExit)
  }
}
