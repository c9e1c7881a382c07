/** Microseconds on the server's forward-only clock (see tag-state.ts): ordering, never a duration. */
export type Clock = number

/** Microseconds since the epoch, by the Redis server's TIME. */
export type ServerMicros = number

/** Milliseconds since the epoch on this process's clock, `performance.timeOrigin + performance.now()`: the clock that Next uses. */
export type LocalMillis = number

export type Seconds = number
export type Milliseconds = number
export type Bytes = number

/** Stands for "never" where a microsecond time is stored: exact in a double, and past the year 2200. */
export const NEVER: ServerMicros = Number.MAX_SAFE_INTEGER

/**
 * A clock further ahead of the server's time than this was not written by us: no server's time was ever so wrong, and
 * what is believed could never be taken back. A bound that moves on with time is never reached by counting.
 */
export const CLOCK_HORIZON_MICROS = 30 * 24 * 3600 * 1_000_000

/** A microsecond time read from outside: a safe, non-negative integer, or undefined. */
export function parseMicros(text: string): number | undefined {
  if (!/^\d{1,16}$/.test(text)) return undefined
  const value = Number(text)
  return value <= NEVER ? value : undefined
}
