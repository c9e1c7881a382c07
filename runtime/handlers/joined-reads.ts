/**
 * Lets Next join the requests for one page. It asks a handler once for all requests that come while the handler is
 * asked (`ResponseCache.get`: a `Batcher` by key), but local memory has answered before Next looks at the next request:
 * of sixteen that arrive together each would be a read, and a turn of everything behind it.
 *
 * So who reads what this turn of the event loop has already answered waits until the turn is over, when every request
 * that arrived with it has come to join. It is judged after that, as of the last of them. Who is alone never waits.
 */
export class JoinedReads {
  private readonly answered = new Set<string>()
  private turn: Promise<void> | undefined
  private endTurn: (() => void) | undefined

  /** Local memory has just answered. */
  note(key: string): void {
    if (this.answered.size === 0) setImmediate(this.ended)
    this.answered.add(key)
  }

  /** The end of this turn; undefined: nobody has been answered in it. */
  wait(key: string): Promise<void> | undefined {
    if (!this.answered.has(key)) return undefined
    return (this.turn ??= new Promise((resolve) => (this.endTurn = resolve)))
  }

  private readonly ended = (): void => {
    const { endTurn } = this
    this.answered.clear()
    this.turn = this.endTurn = undefined
    endTurn?.()
  }
}
