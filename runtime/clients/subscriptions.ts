import type { RedisClient } from './client'
import { closedError } from './client-errors'
import { guarded } from './guarded'
import type { Subscriber } from './subscriber'

/** The subscriptions of a client: the connection they share exists while there is one. */
export interface Subscriptions {
  readonly subscribe: RedisClient['subscribe']
  /** The connection, if there is one. */
  readonly subscriber: Subscriber | undefined
  close(): void
}

export function createSubscriptions(open: () => Subscriber): Subscriptions {
  let subscriber: Subscriber | undefined
  let users = 0
  let closed = false
  return {
    subscribe(channel, onMessage, onState) {
      if (closed) {
        onState(false, closedError().message)
        return { close: () => Promise.resolve() }
      }
      subscriber ??= open()
      const remove = subscriber.add(
        channel,
        (payload) => guarded(() => onMessage(payload)),
        (live, reason) => guarded(() => onState(live, reason)),
      )
      users++
      let isOpen = true
      return {
        async close() {
          if (!isOpen) return
          isOpen = false
          remove()
          if (--users > 0) return
          subscriber?.close()
          subscriber = undefined
        },
      }
    },
    get subscriber() {
      return subscriber
    },
    close() {
      closed = true
      subscriber?.close()
      subscriber = undefined
    },
  }
}
