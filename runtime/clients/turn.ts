import type { Writable } from 'node:stream'

/** Streams that hold back what was written since, until their turn of the event loop ends. */
const holding = new Set<Writable>()
let isLastTurn = false
process.prependOnceListener('exit', () => {
  // No turn follows.
  isLastTurn = true
  flush()
})

/**
 * Whatever else this turn of the event loop writes to the stream leaves in one write, at its end: fifty entries that
 * are stored at once are one system call instead of fifty, which cost more than all the rest of them. What was written
 * before is on its way: who writes once in a turn waits for nothing.
 */
export function holdForTurn(stream: Writable): void {
  if (isLastTurn || holding.has(stream)) return
  if (holding.size === 0) process.nextTick(flush)
  holding.add(stream)
  stream.cork()
}

function flush(): void {
  for (const stream of holding) stream.uncork()
  holding.clear()
}
