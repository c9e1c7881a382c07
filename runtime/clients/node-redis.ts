import type * as Driver from 'redis'
import { Pieces } from '../../src/pieces'
import type { CommandArgument, RedisCommand, RedisReply } from './client'
import { reasonOf } from './client-errors'
import { createClientOver } from './create-client'
import { keepStringsFast } from './fast-strings'
import { GatheredReplies } from './gathered-replies'
import type { Link, OpenLink } from './link'
import { requireFrom } from './require-from'
import { Scratch } from './scratch'

/** `redis` is its client and four packages of commands that are not used here. Literals, so that bundlers trace it. */
const driver =
  requireFrom<typeof Driver>(() => require.resolve('redis'), '@redis/client') ??
  (require('redis') as typeof Driver)

keepStringsFast()

/** RESP markers of simple and bulk strings; not every 5.x exports RESP_TYPES. */
const TYPE_MAPPING = { [0x2b]: Buffer, [0x24]: Buffer } as const
const COMMAND_OPTIONS = { typeMapping: TYPE_MAPPING, timeout: undefined } as never

/**
 * Over its high-water mark node-redis keeps the rest of a batch in its own queue until the socket has drained,
 * which takes turns of the event loop, and those can be long while pages render. With a mark that is never
 * reached everything is on the wire at once; the session bounds what is in flight.
 */
const WRITE_THROUGH_BYTES = 2 ** 30

/** node-redis 6 speaks RESP3 unless told otherwise; 5 speaks RESP2, but sends HELLO when told so. */
const RESP2 = 'DEFAULT_RESP' in driver ? ({ RESP: 2 } as const) : {}

/**
 * The class itself, where it is exported: `createClient` derives a class with a method for every command, and again for
 * other options, which takes longer than to connect. None of these methods is used here.
 */
const connectTo: typeof Driver.createClient =
  typeof driver.RedisClient === 'function'
    ? (options) => new driver.RedisClient(options) as never
    : driver.createClient

/** One connection of node-redis (5 or 6), stripped of everything that it would do by itself. */
const openLink: OpenLink = (target, connectMs, events, tls = {}) => {
  const client = connectTo({
    ...RESP2,
    // Requires the right to CLIENT SETINFO; `maintNotifications` to CLIENT MAINT_NOTIFICATIONS.
    disableClientInfo: true,
    maintNotifications: 'disabled',
    disableOfflineQueue: true,
    socket: {
      ...(target.transport === 'unix' ? { path: target.path } : { host: target.host, port: target.port }),
      ...(target.transport === 'tls' ? { ...tls, tls: true } : {}),
      connectTimeout: connectMs,
      keepAlive: true,
      keepAliveInitialDelay: 10_000,
      reconnectStrategy: false,
      highWaterMark: WRITE_THROUGH_BYTES,
    } as never,
  })
  const scratch = new Scratch()
  let destroyed = false
  let dialling = true
  // Protocol errors come as `error`, too, and leave the socket open; the owner destroys the link.
  client.on('error', (error: unknown) => events.onEnd(reasonOf(error)))
  client.on('end', () => events.onEnd('Redis closed the connection'))
  client.on('connect', () => {
    dialling = false
    if (destroyed) drop()
  })
  client.on('ready', () => events.onOpen())
  // Before connecting: neither a dial nor an idle connection keeps the process.
  client.unref()
  client.connect().catch((error: unknown) => {
    events.onEnd(reasonOf(error))
    // Also unregisters the client from the driver's metrics.
    drop()
  })

  function drop(): void {
    try {
      client.destroy()
    } catch {
      // 5.x throws when it is closed already.
    }
  }

  const sendCommand = (args: readonly (string | Buffer)[]): Promise<RedisReply> =>
    client.sendCommand<RedisReply>(args as (string | Buffer)[], COMMAND_OPTIONS)

  /** node-redis takes no argument in pieces. */
  function sendWhole(args: readonly CommandArgument[]): Promise<RedisReply> {
    if (!args.some((arg) => arg instanceof Pieces)) return sendCommand(args as readonly (string | Buffer)[])
    const used: Buffer[] = []
    const reply = sendCommand(args.map((arg) => (arg instanceof Pieces ? scratch.join(arg, used) : arg)))
    void reuse(used, reply)
    return reply
  }

  async function reuse(used: readonly Buffer[], reply: Promise<RedisReply>): Promise<void> {
    try {
      await reply
    } catch (error) {
      if (!isErrorReply(error)) return
    }
    scratch.giveBack(used)
  }

  const link: Link = {
    // node-redis collects what is sent in one turn of the event loop and writes it at once.
    write(commands: readonly RedisCommand[]) {
      const replies = new GatheredReplies(commands.length)
      for (const [index, { args }] of commands.entries()) gather(sendWhole(args), index, replies)
      return replies.all
    },
    ping: () => sendCommand(['PING']).then(undefined, errorReplyAsValue),
    subscribe: (channel) =>
      client
        .subscribe(channel, (payload: Buffer) => events.onMessage(channel, payload), true)
        .then(() => undefined),
    destroy() {
      destroyed = true
      // While it dials it has no socket to destroy and would connect all the same: wait for the end of that.
      if (!dialling) drop()
    },
  }
  return link
}

function gather(reply: Promise<RedisReply>, index: number, replies: GatheredReplies): void {
  reply.then(
    (value) => replies.add(index, value),
    (error: unknown) => {
      if (isErrorReply(error)) replies.add(index, error)
      else replies.fail(error)
    },
  )
}

function errorReplyAsValue(error: unknown): Error {
  if (isErrorReply(error)) return error
  throw error
}

function isErrorReply(error: unknown): error is Error {
  // Not every 5.x exports its error classes.
  if (typeof driver.ErrorReply === 'function') return error instanceof driver.ErrorReply
  for (let proto: unknown = error; proto; proto = Object.getPrototypeOf(proto)) {
    if ((proto as object).constructor.name === 'ErrorReply') return true
  }
  return false
}

export const createClient = createClientOver(openLink)
