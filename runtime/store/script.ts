import { createHash } from 'node:crypto'
import { DistributedCacheError } from '../../src/errors'
import type { Milliseconds } from '../../src/units'
import type { CommandArgument, RedisClient, RedisCommand, RedisReply } from '../clients/client'

/** A Lua script with everything needed to call it. */
export interface Script {
  readonly name: string
  readonly keyCount: number
  readonly lua: string
  readonly sha1: string
}

export function defineScript(definition: Omit<Script, 'sha1'>): Script {
  return { ...definition, sha1: createHash('sha1').update(definition.lua).digest('hex') }
}

/**
 * Makes the server know the scripts, so that their first use costs no second round trip. Best effort: a user
 * without the right to SCRIPT LOAD pays that round trip.
 */
export async function loadScripts(client: RedisClient, scripts: readonly Script[]): Promise<void> {
  await client.send(scripts.map(({ lua }) => ({ key: undefined, args: ['SCRIPT', 'LOAD', lua] })))
}

/** A call of a script by its digest. */
export function callOf(
  script: Script,
  keys: readonly string[],
  args: readonly CommandArgument[],
): RedisCommand {
  return { key: keys[0], args: ['EVALSHA', script.sha1, String(script.keyCount), ...keys, ...args] }
}

/**
 * Runs a script by its digest, behind other commands if there are any: one round trip, two when the server does not
 * know the script yet (it was restarted, or its scripts were flushed).
 *
 * @throws DistributedCacheError SCRIPT when the script fails, or what is before it; what `send` rejects with otherwise
 */
export async function runScript(
  client: RedisClient,
  script: Script,
  keys: readonly string[],
  args: readonly CommandArgument[],
  { timeoutMs, before = [] }: { timeoutMs?: Milliseconds | undefined; before?: readonly RedisCommand[] } = {},
): Promise<RedisReply> {
  const replies = await client.send([...before, callOf(script, keys, args)], timeoutMs)
  let reply = replies.pop()
  const failed = replies.find((each) => each instanceof Error)
  if (failed !== undefined) reply = failed
  if (reply instanceof Error && reply.message.startsWith('NOSCRIPT')) {
    const told = ['EVAL', script.lua, String(script.keyCount), ...keys, ...args] as const
    ;[reply] = await client.send([{ key: keys[0], args: told }], timeoutMs)
  }
  if (reply instanceof Error) {
    throw new DistributedCacheError('SCRIPT', `The script ${script.name} failed: ${reply.message}`, {
      cause: reply,
    })
  }
  return reply as RedisReply
}
