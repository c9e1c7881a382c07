import { DistributedCacheError } from '../../src/errors'
import type { RedisReply } from './client'

/** What a server says at `maxclients`, to whatever comes first, before it hangs up. */
const NO_ROOM = /max number of clients/i

/**
 * The replies of one batch as one promise: every promise more, of each command, costs about as much as the command
 * itself. Knows nothing of the commands, which must not be kept until the replies come.
 */
export class GatheredReplies {
  readonly all: Promise<RedisReply[]>
  private readonly replies: RedisReply[]
  private missing: number
  private resolve!: (replies: RedisReply[]) => void
  private reject!: (error: unknown) => void

  constructor(count: number) {
    this.missing = count
    this.replies = Array.from({ length: count }, () => null)
    this.all = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }

  add(index: number, reply: RedisReply): void {
    this.replies[index] = reply
    // No other reply follows, and that the connection ended would be all that is left to say.
    if (reply instanceof Error && NO_ROOM.test(reply.message)) this.fail(noRoom(reply))
    if (--this.missing === 0) this.resolve(this.replies)
  }

  /** The connection is lost: the first one tells. */
  fail(error: unknown): void {
    this.reject(error)
  }
}

function noRoom({ message }: Error): DistributedCacheError {
  return new DistributedCacheError(
    'CLIENT',
    `Redis has no room for another client (${message}). Raise its maxclients, or find out who holds its connections (CLIENT LIST).`,
  )
}
