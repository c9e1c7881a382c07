import { randomUUID } from 'node:crypto'
import { ClockHistory } from '../../src/clock-history'
import { DistributedCacheError } from '../../src/errors'
import type { KeyNames } from '../../src/key-names'
import { localNow, ServerTime } from '../../src/server-time'
import type { TagChange, TagView } from '../../src/tag-state'
import { type Clock, type LocalMillis, type Milliseconds, parseMicros } from '../../src/units'
import type { RedisClient, RedisCommand, RedisReply } from '../clients/client'
import { expectReply, parseTagView, parseTime, readTagsCommand, tagField, text } from './replies'
import { runScript, type Script } from './script'
import { attendScript } from './scripts/attend'
import { invalidateScript } from './scripts/invalidate'
import { writeEntryScript } from './scripts/write-entry'
import type { Store, StoredBytes, WriteOutcome } from '../../src/store'

export interface RedisStoreOptions {
  readonly client: RedisClient
  readonly names: Pick<KeyNames, 'tags'>
  /** How long the first operations of a process wait for the connection, in milliseconds. */
  readonly connectMs: Milliseconds
  /** Life of the tag state; must exceed that of the longest entry. */
  readonly stateTtlMs: Milliseconds
  /** How often a process says that it lives, in milliseconds. @default 5000 */
  readonly attendEveryMs?: Milliseconds
  /** Nobody having attended for this long, a booting process distrusts every entry. @default 20000 */
  readonly attendGraceMs?: Milliseconds
  readonly onError: (what: string, error: unknown) => void
}

/** Entries and tag state on one Redis server, or on the node that serves the key. */
export function createRedisStore(options: RedisStoreOptions): Store {
  const { client, names, onError } = options
  const history = new ClockHistory()
  const serverTime = new ServerTime()
  const readyListeners = new Set<() => void>()
  const waitForConnectionUntil = localNow() + options.connectMs
  let booted = false
  let attendance: Promise<void> | undefined

  /** Every reply that tells the clock goes through here. */
  function observed(clock: Clock): void {
    history.observe(localNow(), clock)
  }

  async function run(script: Script, keys: string[], args: (string | Buffer)[]): Promise<RedisReply> {
    return runScript(client, script, keys, args)
  }

  async function attend(seen: Clock, distrustAfterMs?: Milliseconds): Promise<void> {
    const sentAt = localNow()
    const graceMs = distrustAfterMs ?? options.attendGraceMs ?? 20_000
    const boot = booted && distrustAfterMs === undefined ? '' : 'boot'
    const reply = await run(
      attendScript,
      [names.tags],
      [String(seen), randomUUID(), String(options.stateTtlMs), boot, String(graceMs * 1000)],
    )
    const [clock, , , time] = Array.isArray(reply) ? reply.map((part) => parseMicros(text(part))) : []
    if (clock === undefined || time === undefined) {
      throw new DistributedCacheError(
        'SCRIPT',
        'The script attend answered something else than its contract.',
      )
    }
    serverTime.sample(sentAt, localNow(), time)
    booted = true
    observed(clock)
  }

  /** The first thing a connection does; whoever comes earlier waits for it. */
  function attendOnce(): Promise<void> {
    attendance ??= attend(history.latest).catch((error: unknown) => {
      attendance = undefined
      throw error
    })
    return attendance
  }

  async function connected(): Promise<void> {
    if (!client.ready) {
      // Only while the process starts: later a missing connection fails fast.
      const remainingMs = waitForConnectionUntil - localNow()
      if (remainingMs > 0) await client.waitUntilReady(remainingMs)
    }
    await attendOnce()
  }

  const unregister = client.onEvent((event) => {
    attendance = undefined
    if (event.type !== 'ready') return
    attendOnce().then(
      () => readyListeners.forEach((listener) => listener()),
      (error: unknown) => onError('The first command on a new connection', error),
    )
  })
  const heartbeat = setInterval(() => {
    if (client.ready) attend(history.latest).catch((error: unknown) => onError('The heartbeat', error))
  }, options.attendEveryMs ?? 5_000)
  heartbeat.unref()

  /** Sends commands that end with a read of the tag state, and makes the state whole when it is not. */
  async function readView(tags: readonly string[], before: RedisCommand[]): Promise<[RedisReply[], TagView]> {
    for (let attempt = 0; ; attempt++) {
      const sentAt = localNow()
      const commands = [...before, readTagsCommand(names.tags, tags)]
      const withTime = serverTime.isDue(sentAt)
      if (withTime) commands.push({ key: names.tags, args: ['TIME'] })
      const replies = await client.send(commands)
      const view = parseTagView(replies[before.length], tags)
      const time = withTime ? parseTime(replies[before.length + 1]) : undefined
      if (time !== undefined) serverTime.sample(sentAt, localNow(), time)
      if (view !== undefined && view.clock >= history.latest) {
        observed(view.clock)
        return [replies, view]
      }
      // The state is gone, or behind what we know: raise the floor before anything is served.
      if (attempt === 2) throw new DistributedCacheError('CLIENT', 'The tag state does not hold still.')
      await attend(history.latest)
    }
  }

  return {
    async read(key, tags): Promise<StoredBytes> {
      await connected()
      // The entry first: tag state that was read later judges it safely.
      const [replies, view] = await readView(tags, [{ key, args: ['GET', key] }])
      return { bytes: entryBytes(replies[0]), view }
    },

    async readTags(tags) {
      await connected()
      const [, view] = await readView(tags, [])
      return view
    },

    async write(key, record, ttlMs): Promise<WriteOutcome> {
      await connected()
      const reply = await run(writeEntryScript, [key], [record, String(ttlMs)])
      return reply === 1 ? 'stored' : 'superseded'
    },

    async invalidate(changes: readonly TagChange[]): Promise<void> {
      await connected()
      const sentAt = localNow()
      const args = [String(history.latest), randomUUID(), String(options.stateTtlMs)]
      for (const { tag, windowMicros } of changes) {
        args.push(tagField(tag), windowMicros === undefined ? '' : String(Math.round(windowMicros)))
      }
      const reply = await run(invalidateScript, [names.tags], args)
      const [clock, time] = Array.isArray(reply) ? reply.map((part) => parseMicros(text(part))) : []
      if (clock === undefined || time === undefined) {
        throw new DistributedCacheError(
          'SCRIPT',
          'The script invalidate answered something else than its contract.',
        )
      }
      serverTime.sample(sentAt, localNow(), time)
      observed(clock)
    },

    async invalidateEverything() {
      await connected()
      // Distrusts the entries however recently somebody attended.
      await attend(history.latest, -1)
    },

    async catchUp(seen, tags) {
      await connected()
      const [, view] = await readView(tags, [])
      if (view.clock >= seen) return view
      await attend(seen)
      return (await readView(tags, []))[1]
    },

    fenceAt: (time: LocalMillis) => history.at(time),
    toServer: (local) => serverTime.toServer(local),
    toLocal: (server) => serverTime.toLocal(server),
    onReady: (listener) => void readyListeners.add(listener),

    async close() {
      clearInterval(heartbeat)
      unregister()
      await client.close()
    },
  }
}

/** Another type under an entry's key is damage like any other: bytes that no decoder takes. */
function entryBytes(reply: RedisReply | undefined): Buffer | null {
  if (reply instanceof Error && reply.message.startsWith('WRONGTYPE')) return Buffer.alloc(0)
  const bytes = expectReply<RedisReply>(reply, 'Reading an entry')
  return Buffer.isBuffer(bytes) ? bytes : null
}
