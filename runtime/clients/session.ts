import { DistributedCacheError, messageOf } from '../../src/errors'
import type { RedisTarget } from '../../src/redis-url'
import { timeoutError } from '../within'
import type { CommandArgument, RedisCommand, RedisReply } from './client'
import { clientError, withoutPrefix } from './client-errors'
import { startFairTimeout } from './fair-timeout'
import { greet } from './handshake'
import type { Link, LinkEvents, OpenLink } from './link'

/**
 * Bytes of commands without a reply that one connection may hold. Only a hung server gets near it, and then
 * for 2 x commandMs at most; it bounds the heap even so.
 */
const MAX_BACKLOG_BYTES = 64 * 1024 * 1024
/** The same for the bookkeeping of many small commands. */
const MAX_BACKLOG_BATCHES = 10_000
/**
 * After a failover the connection may still lead to the old primary, which now refuses writes. Dialling again
 * follows a DNS name or a proxy to the new one; not more often than this, in milliseconds, because it is of no
 * use when the server is meant to be read-only.
 */
const REPLICA_PATIENCE_MS = 5_000

export interface SessionSettings {
  readonly target: RedisTarget
  readonly connectMs: number
  readonly commandMs: number
  readonly clientName: string
  /** Whether a replica is refused; who asks sentinels may be told of one that was the primary. */
  readonly primaryOnly?: boolean
}

export interface SessionEvents {
  onReady(): void
  /** Exactly once, also when it never became ready. */
  onEnd(reason: string): void
  onMessage(channel: string, payload: Buffer): void
}

/** The life of one link: dialled, greeted, used, watched, ended. */
export interface Session {
  send(commands: readonly RedisCommand[], timeoutMs: number): Promise<RedisReply[]>
  ping(timeoutMs: number): Promise<unknown>
  subscribe(channel: string): Promise<unknown>
  /** Ends it now; what is outstanding rejects with `error`. */
  end(error: DistributedCacheError): void
}

/** A batch that waits for its replies. Deliberately knows nothing of the commands: see `exchange`. */
interface Exchange {
  readonly sentAt: number
  /** Silence after which the connection counts as hung, in milliseconds. */
  readonly patienceMs: number
  /** Until it is settled: it leads to the replies, and whoever watches for silence may know this long after. */
  reject: ((error: DistributedCacheError) => void) | undefined
}

export function startSession(openLink: OpenLink, settings: SessionSettings, events: SessionEvents): Session {
  const { commandMs, connectMs } = settings
  const startedAt = performance.now()
  /** In the order of sending, which is the order of the replies. */
  const exchanges = new Set<Exchange>()
  let backlogBytes = 0
  let lastReplyAt = 0
  let ended: DistributedCacheError | undefined
  let stopWatching: (() => void) | undefined
  let watchDueAt = Infinity

  const linkEvents: LinkEvents = {
    onOpen() {
      greet((commands) => send(commands, connectMs), settings).then(
        () => {
          stopDialling()
          if (ended === undefined) events.onReady()
        },
        (error: unknown) => end(asClientError(error)),
      )
    },
    onEnd: (reason) => end(clientError(`The connection to Redis ended: ${reason}`)),
    onMessage(channel, payload) {
      if (ended === undefined) events.onMessage(channel, payload)
    },
  }
  const stopDialling = startFairTimeout(
    connectMs,
    () => end(clientError(`Redis did not accept the connection within ${connectMs} ms`)),
    false,
  )
  const link: Link = openOrFail(openLink, settings, linkEvents)

  function end(error: DistributedCacheError): void {
    if (ended !== undefined) return
    ended = error
    stopDialling()
    stopWatching?.()
    // Before the link goes, so that callers get this reason and not what the driver says of its destruction.
    for (const { reject } of exchanges) reject?.(error)
    exchanges.clear()
    link.destroy()
    events.onEnd(withoutPrefix(error.message))
  }

  function send(commands: readonly RedisCommand[], timeoutMs: number): Promise<RedisReply[]> {
    if (ended !== undefined) return Promise.reject(ended)
    const bytes = sizeOf(commands)
    if (exchanges.size >= MAX_BACKLOG_BATCHES || backlogBytes + bytes > Math.max(MAX_BACKLOG_BYTES, bytes)) {
      return Promise.reject(clientError('Redis is too slow: too many commands wait for its reply'))
    }
    try {
      return exchange(link.write(commands), bytes, timeoutMs)
    } catch (cause) {
      return Promise.reject(asClientError(cause))
    }
  }

  // A function of its own, without `commands` in scope: its closures live until Redis answers, which may be
  // long after the timeout, and would otherwise keep the payload.
  function exchange(replies: Promise<RedisReply[]>, bytes: number, timeoutMs: number): Promise<RedisReply[]> {
    return new Promise((resolve, reject) => {
      const patienceMs = 2 * Math.max(commandMs, timeoutMs)
      const mine: Exchange = { sentAt: performance.now(), patienceMs, reject }
      // Whoever waits for a reply keeps the process alive; the connection itself does not.
      const stopTimeout = startFairTimeout(timeoutMs, () => reject(timeoutError(timeoutMs)), true)
      const settle = (): void => {
        stopTimeout()
        mine.reject = undefined
        if (exchanges.delete(mine)) backlogBytes -= bytes
        watchForSilence()
      }
      exchanges.add(mine)
      backlogBytes += bytes
      watchForSilence()
      replies.then(
        (values) => {
          lastReplyAt = performance.now()
          settle()
          resolve(values)
          if (lastReplyAt - startedAt > REPLICA_PATIENCE_MS && values.some(isReadOnlyError)) leaveReplica()
        },
        (error: unknown) => {
          settle()
          reject(asClientError(error))
        },
      )
    })
  }

  /**
   * A half-open connection swallows everything without an error; only silence gives it away. Replies come in
   * order, so that the oldest exchange decides. The timer is left running when it cannot be late for it.
   */
  function watchForSilence(): void {
    const oldest = exchanges.values().next().value
    if (ended !== undefined || oldest === undefined) return
    const quietSince = Math.max(lastReplyAt, oldest.sentAt)
    const dueAt = quietSince + oldest.patienceMs
    if (dueAt >= watchDueAt) return
    stopWatching?.()
    watchDueAt = dueAt
    const check = (): void => {
      watchDueAt = Infinity
      const silentMs = performance.now() - quietSince
      if (lastReplyAt <= quietSince && exchanges.has(oldest)) {
        end(clientError(`Redis did not answer anything for ${Math.round(silentMs)} ms`))
      } else {
        watchForSilence()
      }
    }
    stopWatching = startFairTimeout(dueAt - performance.now(), check, false)
  }

  function leaveReplica(): void {
    end(clientError('Redis has become a read-only replica'))
  }

  return {
    send,
    ping: (timeoutMs) =>
      ended === undefined ? exchange(link.ping().then(asBatch), 0, timeoutMs) : Promise.reject(ended),
    subscribe: (channel) =>
      ended === undefined
        ? exchange(
            link.subscribe(channel).then(() => []),
            0,
            commandMs,
          )
        : Promise.reject(ended),
    end,
  }
}

/** A driver that throws while it dials has to end like any other failed attempt: later, and as an event. */
function openOrFail(openLink: OpenLink, { target, connectMs }: SessionSettings, events: LinkEvents): Link {
  try {
    return openLink(target, connectMs, events)
  } catch (error) {
    const refused = (): Promise<never> => Promise.reject(error)
    setImmediate(() => events.onEnd(messageOf(error)))
    return { write: refused, ping: refused, subscribe: refused, destroy() {} }
  }
}

const asBatch = (reply: RedisReply): RedisReply[] => [reply]

/** Scripts wrap the error of the command in their own words. */
function isReadOnlyError(reply: RedisReply): boolean {
  return reply instanceof Error && reply.message.includes('READONLY')
}

function asClientError(error: unknown): DistributedCacheError {
  if (error instanceof DistributedCacheError) return error
  return clientError(`The connection to Redis failed: ${messageOf(error)}`, error)
}

function sizeOf(commands: readonly RedisCommand[]): number {
  let bytes = 0
  for (const { args } of commands) {
    for (const arg of args as readonly CommandArgument[]) bytes += arg.length
  }
  return bytes
}
