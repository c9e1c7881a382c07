import type { LocalMillis, Milliseconds, ServerMicros } from './units'

/** The clock that Next uses, which `Date.now()` steps away from. */
export function localNow(): LocalMillis {
  return performance.timeOrigin + performance.now()
}

/** A sample older than this is replaced by whatever comes, since the clocks may have drifted. */
const SAMPLE_LIFE_MS: Milliseconds = 10_000
/** A read carries a TIME along when the last sample is older. */
const SAMPLE_EVERY_MS: Milliseconds = 1_000

/**
 * This process's idea of the server's time: the difference between the two clocks, from the sample with
 * the shortest round trip. Entries hold server time, so that replicas whose clocks differ agree on ages.
 */
export class ServerTime {
  private offsetMs = 0
  private roundTripMs = Infinity
  private sampledAt = -Infinity

  /** Whether the next read should ask for TIME. */
  isDue(now: LocalMillis): boolean {
    return now - this.sampledAt >= SAMPLE_EVERY_MS
  }

  /** True once the server has told its time. */
  get known(): boolean {
    return this.sampledAt !== -Infinity
  }

  sample(sentAt: LocalMillis, receivedAt: LocalMillis, server: ServerMicros): void {
    const roundTripMs = receivedAt - sentAt
    const offsetMs = server / 1000 - (sentAt + receivedAt) / 2
    // Two samples that cannot both be true mean that a clock was set: the new one holds.
    const contradicts = Math.abs(offsetMs - this.offsetMs) > (roundTripMs + this.roundTripMs) / 2 + 1
    if (roundTripMs <= this.roundTripMs || receivedAt - this.sampledAt > SAMPLE_LIFE_MS || contradicts) {
      this.offsetMs = offsetMs
      this.roundTripMs = roundTripMs
    }
    this.sampledAt = receivedAt
  }

  toServer(local: LocalMillis): ServerMicros {
    return Math.max(0, Math.round((local + this.offsetMs) * 1000))
  }

  toLocal(server: ServerMicros): LocalMillis {
    return server / 1000 - this.offsetMs
  }

  now(): ServerMicros {
    return this.toServer(localNow())
  }
}
