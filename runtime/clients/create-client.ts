import { parseRedisUrl } from '../../src/redis-url'
import type { ConnectionEvent, CreateClient, RedisClient } from './client'
import { closedError, openConnection } from './connection'
import { guarded } from './guarded'
import type { OpenLink } from './link'
import type { SessionSettings } from './session'
import { openSubscriber, type Subscriber } from './subscriber'

/** Builds the client over one driver's links. */
export function createClientOver(openLink: OpenLink): CreateClient {
  return ({ url, connectMs, commandMs, clientName }): RedisClient => {
    const settings: SessionSettings = { target: parseRedisUrl(url), connectMs, commandMs, clientName }
    const listeners = new Set<(event: ConnectionEvent) => void>()
    let subscriber: Subscriber | undefined
    let subscriptions = 0
    let closed = false

    const connection = openConnection(openLink, settings, {
      onEvent(event) {
        for (const listener of listeners) guarded(() => listener(event))
      },
    })

    return {
      get ready() {
        return connection.ready
      },
      waitUntilReady: (timeoutMs) => connection.waitUntilReady(timeoutMs),
      send(commands, timeoutMs = commandMs) {
        return commands.length === 0 && !closed ? Promise.resolve([]) : connection.send(commands, timeoutMs)
      },
      onEvent(listener) {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      },
      subscribe(channel, onMessage, onState) {
        if (closed) {
          onState(false, closedError().message)
          return { close: () => Promise.resolve() }
        }
        subscriber ??= openSubscriber(openLink, { ...settings, clientName: `${clientName}:subscriber` })
        const remove = subscriber.add(
          channel,
          (payload) => guarded(() => onMessage(payload)),
          (live, reason) => guarded(() => onState(live, reason)),
        )
        subscriptions++
        let open = true
        return {
          async close() {
            if (!open) return
            open = false
            remove()
            if (--subscriptions > 0) return
            subscriber?.close()
            subscriber = undefined
          },
        }
      },
      async close() {
        closed = true
        connection.close()
        subscriber?.close()
        subscriber = undefined
      },
    }
  }
}
