import type { ConnectionEvent, RedisClient } from './client'
import { openConnection } from './connection'
import { guarded } from './guarded'
import type { OpenLink } from './link'
import type { SessionSettings } from './session'
import { openSubscriber } from './subscriber'
import { createSubscriptions } from './subscriptions'

/** How the two connections of a client are dialled. */
export interface Dialling {
  readonly commands: OpenLink
  readonly subscriptions: OpenLink
  /** The connection for commands is ready; true when the other one leads elsewhere and shall follow. */
  readonly strays?: () => boolean
  readonly close?: () => void
}

/** A client of one server: one connection for commands, one for all subscriptions. */
export function createServerClient(dialling: Dialling, settings: SessionSettings): RedisClient {
  const listeners = new Set<(event: ConnectionEvent) => void>()
  let closed = false
  const subscriptions = createSubscriptions(() =>
    openSubscriber(dialling.subscriptions, {
      ...settings,
      clientName: `${settings.clientName}:subscriber`,
    }),
  )
  const connection = openConnection(dialling.commands, settings, {
    onEvent(event) {
      if (event.type === 'ready' && dialling.strays?.() === true)
        subscriptions.subscriber?.redial('The primary is another server now')
      for (const listener of listeners) guarded(() => listener(event))
    },
  })
  return {
    get ready() {
      return connection.ready
    },
    waitUntilReady: (timeoutMs) => connection.waitUntilReady(timeoutMs),
    send(commands, timeoutMs = settings.commandMs) {
      return commands.length === 0 && !closed ? Promise.resolve([]) : connection.send(commands, timeoutMs)
    },
    laneOf: () => '',
    onEvent(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    subscribe: subscriptions.subscribe,
    async close() {
      closed = true
      connection.close()
      subscriptions.close()
      dialling.close?.()
    },
  }
}
