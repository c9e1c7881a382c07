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
 * No clock of ours is beyond it (the year 2112), and it leaves room to count on: a larger one was not written by us,
 * and would soon be no exact number any more.
 */
export const MAX_CLOCK: Clock = 2 ** 52

/** A microsecond time read from outside: a safe, non-negative integer, or undefined. */
export function parseMicros(text: string): number | undefined {
  if (!/^\d{1,16}$/.test(text)) return undefined
  const value = Number(text)
  return value <= NEVER ? value : undefined
}
