import type { Milliseconds } from '../../src/units'

const TICK_MS: Milliseconds = 10
/** A step that took longer was not this process waiting, but not running. */
const MAX_STEP_MS: Milliseconds = 2 * TICK_MS
const IDLE_TICKS = 100

/**
 * Time in which this process could run. While a render blocks the event loop, a reply may have been waiting in
 * the socket all along: Redis is not to be blamed for that time. One timer for the whole process, which stops
 * when nobody measured, or asked, for a second.
 */
export class RunningTime {
  private ranMs: Milliseconds = 0
  private lastAt = -Infinity
  private idleTicks = 0
  /** Those who measure, and ask again at the end: it must not stop before. */
  private measuring = 0
  private timer: NodeJS.Timeout | undefined

  now(): Milliseconds {
    this.idleTicks = 0
    if (this.timer === undefined) {
      this.lastAt = performance.now()
      this.timer = setInterval(() => this.tick(), TICK_MS).unref()
    }
    return this.ranMs + this.sinceTickMs()
  }

  /** Measures from now until `end`. */
  begin(): Milliseconds {
    this.measuring++
    return this.now()
  }

  end(): Milliseconds {
    this.measuring--
    return this.now()
  }

  stop(): void {
    clearInterval(this.timer)
    this.timer = undefined
  }

  private sinceTickMs(): Milliseconds {
    return Math.min(performance.now() - this.lastAt, MAX_STEP_MS)
  }

  private tick(): void {
    this.ranMs += this.sinceTickMs()
    this.lastAt = performance.now()
    if (this.measuring === 0 && ++this.idleTicks > IDLE_TICKS) this.stop()
  }
}
