import { ERROR_PREFIX } from '../src/errors'
import { localNow } from '../src/server-time'
import type { Milliseconds } from '../src/units'

const EVERY_MS: Milliseconds = 10_000
const MAX_TOPICS = 100

/** Writes at most one line per topic and ten seconds, and says how many it kept back. */
export function createLogger(write: (line: string) => void = console.error) {
  const topics = new Map<string, { nextAt: number; suppressed: number }>()
  return (topic: string, detail: string): void => {
    const now = localNow()
    const state = topics.get(topic) ?? { nextAt: 0, suppressed: 0 }
    if (now < state.nextAt) {
      state.suppressed++
      return
    }
    if (topics.size >= MAX_TOPICS) topics.clear()
    const more = state.suppressed > 0 ? ` (and ${state.suppressed} more like this)` : ''
    topics.set(topic, { nextAt: now + EVERY_MS, suppressed: 0 })
    write(`${ERROR_PREFIX} ${topic}: ${detail}${more}`)
  }
}

export type Logger = ReturnType<typeof createLogger>
