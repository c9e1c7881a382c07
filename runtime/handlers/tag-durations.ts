import type { Seconds } from '../../src/units'
import type { TagDurations } from './next-types'

/**
 * How long stale content may still be served after an invalidation; undefined: not at all. Follows
 * `updateTags` of Next's built-in handler: no durations expire at once, durations without `expire` never do.
 */
export function windowSecondsOf(durations: TagDurations | undefined): Seconds | undefined {
  if (durations === undefined) return undefined
  const { expire = Infinity } = durations
  return expire > 0 ? expire : undefined
}
