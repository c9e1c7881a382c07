import { subscribe } from 'node:diagnostics_channel'
import type { ServerResponse } from 'node:http'

/** Where Next optimises images, behind the base path (`handleNextImageRequest`). */
const IMAGES = '/_next/image'

/** A visitor who reads slowly keeps a request open, and all that was asked since. What is forgotten ends by itself. */
const MAX_ASKS = 1_000

interface Ask {
  /** The youngest image request that was under way. */
  readonly upTo: number
}

/**
 * The image requests under way. Next's handler of images lives as long as the server, so that no read of an image
 * tells its request; but an image that is missing is made before its request is answered, and that request is one of
 * those under way when the image is read.
 */
export class ImageRequests {
  private count = 0
  /** The oldest first. */
  private readonly open = new Set<number>()
  /** The oldest first. */
  private asks: Ask[] = []

  /** @param answered is told that nothing more comes of what was missing at `ask` */
  constructor(private readonly answered: (ask: object) => void) {
    subscribe('http.server.request.start', (message) => {
      const { request, response } = message as { request?: { url?: string }; response?: ServerResponse }
      if (response === undefined || request?.url?.includes(IMAGES) !== true) return
      const number = ++this.count
      this.open.add(number)
      response.once('close', () => this.closed(number, response.writableFinished))
    })
  }

  /** Stands for the request on whose behalf an image is read now; undefined: none is under way. */
  ask(): object | undefined {
    if (this.open.size === 0) return undefined
    const ask = { upTo: this.count }
    this.asks.push(ask)
    if (this.asks.length > MAX_ASKS) this.asks.shift()
    return ask
  }

  private closed(number: number, isAnswered: boolean): void {
    this.open.delete(number)
    // Behind a visitor who has gone Next goes on, until nobody knows when.
    if (!isAnswered) this.asks = this.asks.filter(({ upTo }) => upTo < number)
    const oldest = this.open.values().next().value ?? Infinity
    while (this.asks[0] !== undefined && this.asks[0].upTo < oldest) this.answered(this.asks.shift() as Ask)
  }
}
