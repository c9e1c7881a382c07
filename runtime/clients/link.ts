import type { RedisTarget } from '../../src/redis-url'
import type { RedisCommand, RedisReply } from './client'

/**
 * One physical connection, from dialling to its end: all that an adapter has to provide. A link is never
 * reused and never reconnects. Reconnecting, authentication, timeouts and subscriptions are written once,
 * on top (session.ts, connection.ts, subscriber.ts), because the two drivers differ most in exactly these,
 * and a driver object that is thrown away with its socket cannot keep queues, payloads or listeners.
 */
export interface Link {
  /**
   * Writes all commands at once, at least one. An error reply is a value; the promise rejects only when the
   * connection is lost. Must not keep a reference to `commands` or their buffers once the bytes are
   * in the socket: a command without a reply must not hold its payload.
   */
  write(commands: readonly RedisCommand[]): Promise<RedisReply[]>
  /** PING that is legal after `subscribe`, too; error replies are values. */
  ping(): Promise<RedisReply>
  /** Rejects when Redis refuses, or the connection is lost. */
  subscribe(channel: string): Promise<void>
  /** Drops the connection now, without waiting for replies or for a FIN of the peer. Idempotent. */
  destroy(): void
}

/** What a link tells its owner; never called from within the call that opens the link. */
export interface LinkEvents {
  /** Connected; nothing is authenticated yet. */
  onOpen(): void
  /** The link is useless from here on. May be called more than once; the first counts. */
  onEnd(reason: string): void
  onMessage(channel: string, payload: Buffer): void
}

/** What Node.js takes for the TLS of one connection, besides host and port. */
export interface TlsSettings {
  readonly ca?: Buffer
  readonly cert?: Buffer
  readonly key?: Buffer
  readonly servername?: string
}

/**
 * Dials. The link must not keep the process alive: waiting callers do that with their own timers.
 * @param tls for a target of that transport; the adapter reads no files
 */
export type OpenLink = (target: RedisTarget, connectMs: number, events: LinkEvents, tls?: TlsSettings) => Link
