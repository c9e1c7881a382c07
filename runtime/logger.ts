import { ERROR_PREFIX } from '../src/errors'
import type { Milliseconds } from '../src/units'

const EVERY_MS: Milliseconds = 10_000
const MAX_TOPICS = 50
/** Takes what does not fit any more. Topics are constants of this package, so nothing should. */
const OTHER_TOPICS = 'Other messages'

interface Topic {
  suppressed: number
  /** The newest of what was kept back. */
  detail: string
}

/** @param ends a topic of which this is the end: what was kept back of it, and holds no more, is not said any more */
export type Logger = (topic: string, detail: string, ends?: string) => void

export interface BoundedLogger extends Logger {
  /** Says now what was kept back; for the end of the process. */
  flush(): void
}

/**
 * Writes at most one line per topic and ten seconds. What is kept back is counted and said when the ten seconds are
 * over, whether or not the topic comes up again, unless another message was the end of it.
 */
export function createLogger(write: (line: string) => void = console.error): BoundedLogger {
  const topics = new Map<string, Topic>()

  function say(name: string, topic: Topic): void {
    const { suppressed } = topic
    // An error of our own bears the prefix as well.
    const detail = topic.detail.replaceAll(`${ERROR_PREFIX} `, '')
    topic.suppressed = 0
    write(
      `${ERROR_PREFIX} ${name}: ${detail}${suppressed > 1 ? ` (and ${suppressed - 1} more like this)` : ''}`,
    )
  }

  function start(name: string, topic: Topic): void {
    topics.set(name, topic)
    setTimeout(() => {
      if (topic.suppressed === 0) return void topics.delete(name)
      say(name, topic)
      start(name, topic)
    }, EVERY_MS).unref()
  }

  const log = (name: string, detail: string, ends?: string): void => {
    const ended = ends === undefined ? undefined : topics.get(ends)
    if (ended !== undefined) ended.suppressed = 0
    const known = topics.get(name)
    if (known !== undefined) {
      known.suppressed++
      known.detail = detail
    } else if (topics.size >= MAX_TOPICS && name !== OTHER_TOPICS) {
      log(OTHER_TOPICS, `${name}: ${detail}`)
    } else {
      const topic = { suppressed: 1, detail }
      say(name, topic)
      start(name, topic)
    }
  }
  log.flush = (): void => {
    for (const [name, topic] of topics) if (topic.suppressed > 0) say(name, topic)
  }
  return log
}
