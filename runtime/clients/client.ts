import type { Pieces } from '../../src/pieces'
import type { Topology } from '../../src/redis-topology'
import type { Milliseconds } from '../../src/units'

/** One argument of a command. Buffers go over the wire as they are, and so do pieces, as one argument. */
export type CommandArgument = string | Buffer | Pieces

/**
 * A Redis command, name first. `key` is the key that decides the Cluster slot, or undefined when any
 * node will do (TIME, PUBLISH).
 */
export interface RedisCommand {
  readonly key: string | undefined
  readonly args: readonly [name: string, ...rest: CommandArgument[]]
}

/**
 * What Redis answered. Bulk and simple strings are Buffers, so that values survive bit for bit; an error
 * reply is an `Error` *value* in its place, so that one failed command does not hide the replies of its
 * neighbours.
 */
export type RedisReply = null | number | Buffer | Error | readonly RedisReply[]

/** Where and how to connect: parsed and validated before a client sees it. */
export interface ConnectionOptions {
  /** `redis://`, `rediss://` or a unix socket (`unix:///path` or `/path`); several where the topology has several. */
  readonly url: string
  /** @default 'single' */
  readonly topology?: Topology | undefined
  /** In a Cluster: the key whose node decides whether the client is ready. */
  readonly homeKey?: string | undefined
  /** In a Cluster, which has a circuit for each node: one of them opened or closed. */
  readonly onCircuit?: ((change: CircuitChange) => void) | undefined
  /** Time to establish a connection, in milliseconds. */
  readonly connectMs: number
  /** Time for one batch of commands, in milliseconds. */
  readonly commandMs: number
  /** Shown by CLIENT LIST, so that an operator can tell the connections apart. */
  readonly clientName: string
}

/** What a circuit breaker did. */
export interface CircuitChange {
  readonly state: 'open' | 'closed'
  /** Why it opened. */
  readonly reason: string
  /** Commands that were refused while it was open. */
  readonly refused: number
  /** How long it was open. */
  readonly ms: Milliseconds
}

/** What happened to the connection; delivered in order, never thrown. */
export type ConnectionEvent = { type: 'ready' } | { type: 'end'; reason: string }

/**
 * The few operations this package needs of a Redis client. Both drivers implement it and pass one conformance suite
 * (test/integration/client-conformance). A client connects by itself when it is created, reconnects with jittered
 * backoff for as long as it is open, and never keeps an unbounded queue: while there is no connection `send` rejects
 * at once with code CLIENT. Only waiting callers keep the process alive, not the connection. A connection on which
 * nothing was answered for 2 x `commandMs` although something was asked is dropped and replaced.
 *
 * In a Cluster it is ready, and tells of events, as the connection to the node of `homeKey` does; a batch is split,
 * and rejects when one of its nodes is away.
 */
export interface RedisClient {
  /** True between `ready` and `end`. */
  readonly ready: boolean
  /**
   * Resolves when the connection is ready, rejects (CLIENT) when it is not within `timeoutMs`. Waiting
   * does not start anything: the client connects by itself.
   */
  waitUntilReady(timeoutMs: number): Promise<void>
  /**
   * Sends all commands in one write on one connection (one round trip) and resolves with their replies in
   * order. Rejects with TIMEOUT after `timeoutMs` (default `commandMs`), with CLIENT when the connection
   * is missing or lost; error replies are values. After either rejection the commands may still have run.
   * Replies are what Redis said: HGETALL is a flat array.
   */
  send(commands: readonly RedisCommand[], timeoutMs?: number): Promise<RedisReply[]>
  /**
   * Names the node that serves a key now; '' where there is but one. What is published on one lane stays in
   * order; between lanes there is none.
   */
  laneOf(key: string): string
  /** Registers for connection events; returns the function that unregisters. */
  onEvent(listener: (event: ConnectionEvent) => void): () => void
  /**
   * Listens on a channel, over a second connection that all subscriptions of this client share. `onMessage`
   * gets the payload bytes, `onState` whether the subscription is live (and why not: it may repeat `false`
   * with every failed attempt); it resubscribes by itself after a reconnect. Messages of the time in between
   * are lost. A dead connection is noticed within about 1 s + 2 x `commandMs`.
   */
  subscribe(
    channel: string,
    onMessage: (payload: Buffer) => void,
    onState: (live: boolean, reason?: string) => void,
  ): { close(): Promise<void> }
  /** Ends every connection of this client; pending sends reject with CLOSED. Idempotent, never rejects. */
  close(): Promise<void>
}

/** Builds a client for one driver. */
export type CreateClient = (options: ConnectionOptions) => RedisClient
