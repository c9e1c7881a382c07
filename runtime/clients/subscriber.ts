import { messageOf } from '../../src/errors'
import { clientError, withoutPrefix } from './client-errors'
import { openConnection } from './connection'
import type { OpenLink } from './link'
import { type Session, type SessionSettings } from './session'

/** Silence after which the subscriber asks whether anybody is there, in milliseconds. */
const KEEPALIVE_MS = 1_000

interface Subscription {
  readonly channel: string
  readonly onMessage: (payload: Buffer) => void
  readonly onState: (live: boolean, reason?: string) => void
  live: boolean
}

export interface Subscriber {
  /** Returns the function that ends the subscription. */
  add(channel: string, onMessage: Subscription['onMessage'], onState: Subscription['onState']): () => void
  /** Leaves the present connection for a new one. */
  redial(reason: string): void
  close(): void
}

/**
 * The dedicated connection of a client's subscriptions (in RESP2 a connection that subscribes can do nothing
 * else). A subscriber only listens, so nothing would ever tell it that the other end is gone: it asks when
 * it heard nothing for a second.
 */
export function openSubscriber(openLink: OpenLink, settings: SessionSettings): Subscriber {
  const subscriptions = new Set<Subscription>()
  let heard = true
  /** What is subscribed in the present session: each channel once, however many listen. */
  let channels = new Map<string, Promise<unknown>>()

  const connection = openConnection(openLink, settings, {
    onSession(session) {
      heard = true
      channels = new Map()
      for (const subscription of subscriptions) start(session, subscription)
    },
    onEvent(event) {
      if (event.type === 'ready') return
      for (const subscription of subscriptions) setLive(subscription, false, event.reason)
    },
    onMessage(channel, payload) {
      heard = true
      for (const subscription of subscriptions) {
        if (subscription.channel === channel) subscription.onMessage(payload)
      }
    },
  })

  function start(session: Session, subscription: Subscription): void {
    const { channel } = subscription
    const subscribed = channels.get(channel) ?? session.subscribe(channel)
    channels.set(channel, subscribed)
    subscribed.then(
      () => {
        if (connection.session === session && subscriptions.has(subscription)) setLive(subscription, true)
      },
      // Refused by the ACL, or no answer: try again on a fresh connection, with its backoff.
      (error: unknown) =>
        session.end(clientError(`Subscribing failed: ${withoutPrefix(messageOf(error))}`, error)),
    )
  }

  const keepalive = setInterval(() => {
    // Its timeout leads to nothing here; the session notices the silence and ends itself.
    if (!heard) connection.session?.ping(settings.commandMs).catch(() => {})
    heard = false
  }, KEEPALIVE_MS).unref()

  return {
    add(channel, onMessage, onState) {
      const subscription: Subscription = { channel, onMessage, onState, live: false }
      subscriptions.add(subscription)
      if (connection.session !== undefined) start(connection.session, subscription)
      return () => {
        // The channel stays subscribed on the wire until the connection ends; nobody listens any more.
        subscriptions.delete(subscription)
      }
    },
    redial: (reason) => connection.session?.end(clientError(reason)),
    close() {
      clearInterval(keepalive)
      connection.close()
      subscriptions.clear()
    },
  }
}

function setLive(subscription: Subscription, live: boolean, reason?: string): void {
  if (subscription.live === live && live) return
  subscription.live = live
  subscription.onState(live, reason)
}
