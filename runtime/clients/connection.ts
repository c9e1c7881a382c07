import type { DistributedCacheError } from '../../src/errors'
import type { ConnectionEvent, RedisCommand, RedisReply } from './client'
import { clientError, closedError } from './client-errors'
import type { OpenLink } from './link'
import { createWaiters } from './readiness'
import { startSession, type Session, type SessionSettings } from './session'

const FIRST_RETRY_MS = 50
const MAX_RETRY_MS = 2_000

export interface ConnectionHooks {
  onEvent(event: ConnectionEvent): void
  /** Before `ready` is announced. */
  onSession?(session: Session): void
  onMessage?(channel: string, payload: Buffer): void
}

/** A connection that comes back: one session after the other, for as long as it is open. */
export interface Connection {
  readonly ready: boolean
  /** The session in use; undefined while there is none. */
  readonly session: Session | undefined
  waitUntilReady(timeoutMs: number): Promise<void>
  send(commands: readonly RedisCommand[], timeoutMs: number): Promise<RedisReply[]>
  close(): void
}

export function openConnection(
  openLink: OpenLink,
  settings: SessionSettings,
  hooks: ConnectionHooks,
): Connection {
  const waiters = createWaiters()
  let current: Session | undefined
  let ready = false
  let readyAt = 0
  let closed = false
  let failures = 0
  let retry: NodeJS.Timeout | undefined
  let lastReason = 'it is still connecting'

  function connect(): void {
    const session = startSession(openLink, settings, {
      onReady() {
        ready = true
        readyAt = performance.now()
        hooks.onSession?.(session)
        hooks.onEvent({ type: 'ready' })
        waiters.resolveAll()
      },
      onEnd(reason) {
        // A server that accepts and drops at once must not be dialled as fast as it drops.
        if (ready && performance.now() - readyAt > MAX_RETRY_MS) failures = 0
        ready = false
        current = undefined
        lastReason = reason
        if (!closed) retry = setTimeout(connect, retryDelayMs(failures++)).unref()
        hooks.onEvent({ type: 'end', reason })
      },
      onMessage: (channel, payload) => hooks.onMessage?.(channel, payload),
    })
    current = session
  }
  connect()

  const notConnected = (): DistributedCacheError =>
    closed ? closedError() : clientError(`Redis is not connected (${lastReason})`)

  return {
    get ready() {
      return ready
    },
    get session() {
      return ready ? current : undefined
    },
    waitUntilReady(timeoutMs) {
      if (ready) return Promise.resolve()
      if (closed) return Promise.reject(closedError())
      return waiters.wait(timeoutMs, notConnected)
    },
    send(commands, timeoutMs) {
      return ready && current !== undefined
        ? current.send(commands, timeoutMs)
        : Promise.reject(notConnected())
    },
    close() {
      if (closed) return
      closed = true
      clearTimeout(retry)
      current?.end(closedError())
      waiters.rejectAll(closedError())
    },
  }
}

/** Exponential, with jitter over its upper half so that a fleet does not come back in step. */
export function retryDelayMs(failures: number): number {
  const ceilingMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 10))
  return ceilingMs / 2 + Math.random() * (ceilingMs / 2)
}
