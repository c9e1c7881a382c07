import { DistributedCacheError } from '../../src/errors'
import type { RedisTarget } from '../../src/redis-url'
import type { RedisCommand, RedisReply } from './client'

/** What a server says to a one-argument AUTH when its default user needs no password: nothing is wrong then. */
const NO_PASSWORD_NEEDED = /no password is set|without any password configured/i

/**
 * Makes a fresh connection usable, in one round trip: AUTH, SELECT, a name, PING. Done here and not by the
 * drivers, because they differ in what they send, and ioredis goes on with database 0 when SELECT fails.
 *
 * The name is a nicety that an ACL may forbid. PING tells whether the server takes commands: a server that
 * is loading its data, or that wants a password we do not have, is not ready.
 */
export async function greet(
  send: (commands: readonly RedisCommand[]) => Promise<RedisReply[]>,
  {
    target,
    clientName,
    primaryOnly = false,
  }: { target: RedisTarget; clientName: string; primaryOnly?: boolean },
): Promise<void> {
  const { username, password, database } = target
  const commands: RedisCommand['args'][] = []
  const judges: ((error: Error) => string | undefined)[] = []
  const add = (args: RedisCommand['args'], judge: (error: Error) => string | undefined): void => {
    commands.push(args)
    judges.push(judge)
  }
  if (username !== undefined) {
    add(['AUTH', username, password ?? ''], (error) => `refused the user or password (${error.message})`)
  } else if (password !== undefined) {
    add(['AUTH', password], (error) =>
      NO_PASSWORD_NEEDED.test(error.message) ? undefined : `refused the password (${error.message})`,
    )
  }
  if (database !== 0) {
    add(['SELECT', String(database)], (error) => `refused database ${database} (${error.message})`)
  }
  // Redis allows no spaces or control characters in a name.
  add(['CLIENT', 'SETNAME', clientName.replace(/[^!-~]/g, '-')], () => undefined)
  add(['PING'], (error) =>
    error.message.startsWith('NOPERM') ? undefined : `is not ready (${error.message})`,
  )
  // Without the right to ROLE a replica shows itself when it refuses a write.
  if (primaryOnly) add(['ROLE'], () => undefined)

  const replies = await send(commands.map((args) => ({ key: undefined, args })))
  replies.forEach((reply, index) => {
    const refusal = reply instanceof Error ? judges[index]?.(reply) : undefined
    if (refusal !== undefined) {
      throw new DistributedCacheError(
        'CLIENT',
        `Redis ${withoutSecret(refusal, password)}. Check the Redis URL and the ACL of its user.`,
      )
    }
  })
  const role = primaryOnly ? replies.at(-1) : undefined
  if (Array.isArray(role) && String(role[0]) !== 'master') {
    throw new DistributedCacheError(
      'CLIENT',
      `Redis is a ${String(role[0])} and not the primary. Wait for the failover to end.`,
    )
  }
}

/** Something that is not Redis may echo the command that it does not know. */
function withoutSecret(text: string, secret: string | undefined): string {
  return secret === undefined ? text : text.replaceAll(secret, '***')
}
