import { AbstractConnector, Command, Redis, ReplyError } from 'ioredis'
import type { Socket, TcpNetConnectOpts } from 'node:net'
import { Pieces } from '../../src/pieces'
import type { CommandArgument, RedisReply } from './client'
import { reasonOf } from './client-errors'
import { createClientOver } from './create-client'
import { keepStringsFast } from './fast-strings'
import { dialFramed, framedReads } from './framed-reads'
import { GatheredReplies } from './gathered-replies'
import type { Link, OpenLink } from './link'

keepStringsFast()

interface DialOptions extends TcpNetConnectOpts {
  readonly path?: string
  readonly disconnectTimeout: number
}

/** Replies as Buffers. */
const NO_ENCODING = { replyEncoding: null as never }

/** One connection of ioredis (5.4 to 6), stripped of everything that it would do by itself. */
const openLink: OpenLink = (target, connectMs, events, tls = {}) => {
  const redis = new Redis({
    ...(target.transport === 'unix'
      ? { path: target.path }
      : { host: target.host, port: target.port, family: 0 }),
    ...(target.transport === 'tls'
      ? { tls: { ...tls, onread: framedReads() } as typeof tls }
      : { Connector: FramingConnector as never }),
    connectTimeout: connectMs,
    keepAlive: 10_000,
    protocol: 2,
    // Requires the right to CLIENT SETINFO, and INFO.
    disableClientInfo: true,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: null,
    // Without a retry ioredis rejects what is in flight as soon as the connection is gone.
    retryStrategy: () => null,
  })
  let reason = 'Redis closed the connection'
  redis.on('error', (error: unknown) => {
    reason = reasonOf(error)
    // Protocol errors come here, too, and leave the socket open.
    events.onEnd(reason)
  })
  redis.on('end', () => events.onEnd(reason))
  // Only now it has the queue that it keeps.
  redis.on('connect', () => takeStrayReplies(redis, () => events.onEnd('Redis answered what nobody asked')))
  redis.on('ready', () => events.onOpen())
  redis.on('messageBuffer', (channel: Buffer, payload: Buffer) =>
    events.onMessage(channel.toString(), payload),
  )
  // The socket exists a tick after the constructor. Neither a dial nor an idle connection keeps the process.
  setImmediate(() => redis.stream?.unref())

  const link: Link = {
    write(commands) {
      const replies = new GatheredReplies(commands.length)
      const batch = new Batch(redis)
      try {
        for (const [index, { args }] of commands.entries()) {
          // Upper case passes by the reply transformers of ioredis (HGETALL to an object), which go by the
          // lower-case name, so that both drivers give what Redis said.
          const command = new Command(args[0].toUpperCase(), batch.arguments(args), NO_ENCODING)
          gather(command, index, replies)
          void redis.sendCommand(command, batch)
          // ioredis would keep the arguments until the reply, and put them into an error reply.
          command.args = []
        }
        return replies.all
      } catch (error) {
        // Of half a command Redis would take the rest out of the next one.
        redis.stream.destroy()
        replies.all.catch(() => {})
        throw error
      } finally {
        batch.send()
      }
    },
    ping: () => redis.ping().then((pong) => Buffer.from(String(pong)), errorReplyAsValue),
    subscribe: (channel) => redis.subscribe(channel).then(() => undefined),
    destroy() {
      redis.disconnect()
      // `disconnect` sends a FIN and waits for the other side's, which a half-open connection never sends.
      redis.stream?.destroy()
    },
  }
  return link
}

/**
 * A reply that nobody waits for tells that replies go to the wrong commands. ioredis would say so as an error, which it
 * cannot make of null: then it throws where nobody catches it, and the process ends.
 */
function takeStrayReplies(redis: Redis, onStray: () => void): void {
  const { commandQueue } = redis as unknown as { commandQueue?: { shift(): unknown } }
  // A release that keeps it elsewhere is used without this check.
  if (typeof commandQueue?.shift !== 'function') return
  const shift = commandQueue.shift.bind(commandQueue)
  let taken = false
  commandQueue.shift = () => {
    const item = shift()
    if (item !== undefined || taken) return item
    taken = true
    // Of a lost connection ioredis empties the queue, which is no reply.
    const reject = (error: unknown): void => {
      if (error instanceof ReplyError) onStray()
    }
    return { command: { name: '', args: [''], resolve: onStray, reject } }
  }
}

/** Dials as the connector of ioredis does, which lets nobody say how a plain socket is read. */
class FramingConnector extends AbstractConnector {
  constructor(private readonly options: DialOptions) {
    super(options.disconnectTimeout)
  }

  async connect(): Promise<Socket> {
    this.connecting = true
    // Whoever gives up at once does so before anything is dialled; in words that ioredis knows, and keeps to itself.
    await new Promise(process.nextTick)
    if (!this.connecting) throw new Error('Connection is closed.')
    const { path, host, port, family } = this.options
    const stream = dialFramed(path ? { path } : { host, port, family })
    this.stream = stream
    stream.once('error', (error) => (this.firstError = error))
    return stream
  }
}

/**
 * What ioredis takes for the stream of a pipeline: text goes to the socket as one string, since a string for each
 * command costs about as much as the rest of it. Keeps nothing of what it sent, for ioredis keeps it until the reply.
 */
class Batch {
  readonly isPipeline = true
  readonly destination: { redis: { stream: Redis['stream'] } }
  private text = ''
  /** A command that ioredis cannot write: what it gives for it is not sent. */
  private inPieces: readonly CommandArgument[] | undefined

  constructor(redis: Redis) {
    this.destination = { redis }
    redis.stream.cork()
  }

  /** What ioredis shall know of the arguments of the next command, whose name comes first. */
  arguments(args: readonly CommandArgument[]): (string | Buffer)[] {
    const [, ...rest] = args
    this.inPieces = rest.some((arg) => arg instanceof Pieces) ? args : undefined
    return this.inPieces === undefined ? (rest as (string | Buffer)[]) : []
  }

  write(data: string | Buffer): void {
    if (this.inPieces !== undefined) this.writeInPieces(this.inPieces)
    else this.append(data)
  }

  private writeInPieces(args: readonly CommandArgument[]): void {
    this.text += `*${args.length}\r\n`
    for (const arg of args) {
      this.text += `$${typeof arg === 'string' ? Buffer.byteLength(arg) : arg.length}\r\n`
      for (const piece of arg instanceof Pieces ? arg.list : [arg]) this.append(piece)
      this.text += '\r\n'
    }
  }

  private append(data: string | Uint8Array): void {
    if (typeof data === 'string') {
      this.text += data
    } else {
      this.sendText()
      this.destination.redis.stream.write(data)
    }
  }

  send(): void {
    this.inPieces = undefined
    this.sendText()
    this.destination.redis.stream.uncork()
  }

  private sendText(): void {
    const { text } = this
    this.text = ''
    if (text !== '') this.destination.redis.stream.write(text)
  }
}

/** Takes the reply before the promise of the command does, which nobody looks at but who traces commands. */
function gather(command: Command, index: number, replies: GatheredReplies): void {
  const { resolve, reject } = command
  command.resolve = (reply) => {
    replies.add(index, reply as RedisReply)
    resolve(reply)
  }
  command.reject = (error) => {
    command.promise.catch(() => {})
    reject(error)
    if (error instanceof ReplyError) replies.add(index, error as Error)
    else replies.fail(error)
  }
}

function errorReplyAsValue(error: unknown): Error {
  if (error instanceof ReplyError) return error as Error
  throw error
}

export const createClient = createClientOver(openLink)
