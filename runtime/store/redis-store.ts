import { ClockHistory } from '../../src/clock-history'
import { DistributedCacheError } from '../../src/errors'
import { keyPayload, lanePayload } from '../../src/bus-message'
import { leaseName } from '../../src/key-names'
import { Lanes } from '../../src/lanes'
import { localNow, ServerTime } from '../../src/server-time'
import type { TagChange, TagView } from '../../src/tag-state'
import type { Bytes, Clock, LocalMillis, Milliseconds } from '../../src/units'
import { CLOCK_HORIZON_MICROS } from '../../src/units'
import type { RedisClient, RedisCommand, RedisReply } from '../clients/client'
import { Acknowledged } from './acknowledged'
import { createConfirmation } from './confirmation'
import { entryBytes, parseTagView, parseTime, readTagsCommand, text } from './replies'
import { loadScripts, runScript, type Script } from './script'
import { addEntryScript } from './scripts/add-entry'
import { attendScript } from './scripts/attend'
import { claimLeaseScript } from './scripts/claim-lease'
import { collectScript } from './scripts/collect'
import { invalidateScript } from './scripts/invalidate'
import { readEntryScript } from './scripts/read-entry'
import { releaseLeaseScript } from './scripts/release-lease'
import { renewLeaseScript } from './scripts/renew-lease'
import { restoreInvalidationsScript } from './scripts/restore-invalidations'
import { writeEntryScript } from './scripts/write-entry'
import { TagWriter, type TagWriterOptions } from './tag-writer'
import type { LeaseState, Patience, Store, StoredBytes, WriteOutcome } from '../../src/store'
import { within } from '../within'

const SCRIPTS: readonly Script[] = [
  addEntryScript,
  attendScript,
  claimLeaseScript,
  collectScript,
  invalidateScript,
  readEntryScript,
  releaseLeaseScript,
  renewLeaseScript,
  restoreInvalidationsScript,
  writeEntryScript,
]

/** The life of the tag state must exceed that of the longest entry. */
export interface RedisStoreOptions extends TagWriterOptions {
  /** Names this process on the bus. */
  readonly publisher: string
  /** Longer values are no records of ours: of those a read transfers one byte more than this. */
  readonly maxRecordBytes: Bytes
  /** How long the first operations of a process wait for the connection, in milliseconds. */
  readonly connectMs: Milliseconds
  /** What a command may take, however patient the caller is, in milliseconds. */
  readonly commandMs: Milliseconds
  /** Replicas of Redis that shall confirm an invalidation, and the connection to ask on; undefined: none. */
  readonly confirmation?: { client: RedisClient; replicas: number; waitMs: Milliseconds } | undefined
  /** How often a process says that it lives, in milliseconds. @default 1000 */
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
  const end = String(options.maxRecordBytes)
  let booted = false
  /** Numbers what this process publishes, so that others notice what they missed. */
  const lanes = new Lanes(options.publisher)
  const next = (key: string) => lanes.next(client.laneOf(key), key)
  let attendance: Promise<void> | undefined
  let attended = false
  const acknowledged = new Acknowledged()
  const tagWriter = new TagWriter(options, {
    history,
    serverTime,
    acknowledged,
    origin: { last: () => lanes.last(client.laneOf(names.tags)), next: () => next(names.tags) },
  })
  const { confirmation } = options
  const confirm =
    confirmation && createConfirmation({ ...confirmation, key: names.tags, ttlMs: options.stateTtlMs })

  const latestPossible = (): Clock => serverTime.now() + CLOCK_HORIZON_MICROS

  /** Every reply that tells the clock goes through here. */
  function observed(clock: Clock): void {
    if (clock <= latestPossible()) history.observe(localNow(), clock)
  }

  async function run(
    script: Script,
    keys: string[],
    args: (string | Buffer)[],
    patience?: Patience,
  ): Promise<RedisReply> {
    return runScript(client, script, keys, args, timeoutOf(patience))
  }

  function timeoutOf(patience: Patience | undefined): Milliseconds | undefined {
    return patience && Math.min(options.commandMs, patience.leftMs)
  }

  async function attend(seen: Clock): Promise<boolean> {
    const { foundOld } = await tagWriter.attend(seen, booted ? undefined : (options.attendGraceMs ?? 20_000))
    booted = true
    return foundOld
  }

  /** What this process knows to be acknowledged holds before anything is read. */
  async function begin(): Promise<void> {
    await Promise.all([attend(history.latest), tagWriter.restore()])
  }

  /** The first thing a connection does; whoever comes earlier waits for it. */
  function attendOnce(): Promise<void> {
    if (attendance === undefined) loadScripts(client, SCRIPTS).catch(() => {})
    if (attendance !== undefined) return attendance
    const mine = begin().then(
      () => {
        attended ||= attendance === mine
      },
      (error: unknown) => {
        if (attendance === mine) attendance = undefined
        throw error
      },
    )
    attendance = mine
    return mine
  }

  async function connected(patience?: Patience): Promise<void> {
    if (attended) return
    if (!client.ready) {
      // Only while the process starts: later a missing connection fails fast, before anything is composed in vain.
      const remainingMs = Math.min(waitForConnectionUntil - localNow(), patience?.leftMs ?? Infinity)
      if (remainingMs > 0) await client.waitUntilReady(remainingMs)
      else await client.send([])
    }
    await within(attendOnce(), patience?.leftMs)
  }

  const unregister = client.onEvent((event) => {
    attendance = undefined
    attended = false
    if (event.type !== 'ready') return
    attendOnce().then(
      () => readyListeners.forEach((listener) => listener()),
      (error: unknown) => onError('The first command on a new connection', error),
    )
  })
  function heartbeat(): void {
    if (!client.ready) return
    attend(history.latest)
      .then((foundOld) => (foundOld ? tagWriter.collect() : undefined))
      .catch((error: unknown) => onError('The heartbeat', error))
    for (const { key, origin } of lanes.others(client.laneOf(names.tags), client.laneOf))
      client.send([{ key, args: ['PUBLISH', names.bus, `lane ${lanePayload(origin)}`] }]).catch(() => {})
  }

  const heartbeats = setInterval(heartbeat, options.attendEveryMs ?? 1_000)
  heartbeats.unref()

  /** Sends commands that end with a read of the tag state, and makes the state whole when it is not. */
  async function readView(
    tags: readonly string[],
    before: RedisCommand[],
    patience: Patience | undefined,
  ): Promise<[RedisReply[], TagView]> {
    for (let attempt = 0; ; attempt++) {
      const sentAt = localNow()
      // What is learnt while it is under way may overtake it, in a Cluster above all: it holds for later reads.
      const known = history.latest
      const commands = [...before, readTagsCommand(names.tags, tags)]
      const withTime = serverTime.isDue(sentAt)
      if (withTime) commands.push({ key: names.tags, args: ['TIME'] })
      const replies = await client.send(commands, timeoutOf(patience))
      const time = withTime ? parseTime(replies[before.length + 1]) : undefined
      if (time !== undefined) serverTime.sample(sentAt, localNow(), time)
      const view = parseTagView(replies[before.length], tags, latestPossible())
      if (view !== undefined && view.clock >= known) {
        observed(view.clock)
        // What cannot be mended is judged as it is: nothing with such a tag is served.
        if (view.damaged.length === 0 || attempt === 2) return [replies, view]
        options.onDamage(view.damaged.length)
        const mend = view.damaged.map((tag) => ({ tag, windowMicros: undefined }))
        await within(tagWriter.invalidate(mend), patience?.leftMs)
        continue
      }
      // The state is gone, or behind what we know: raise the floor before anything is served.
      if (attempt === 2) throw new DistributedCacheError('CLIENT', 'The tag state does not hold still.')
      await within(attend(history.latest), patience?.leftMs)
    }
  }

  return {
    async read(key, tags, stamp, patience): Promise<StoredBytes> {
      await connected(patience)
      // The entry first: tag state that was read later judges it safely.
      const get: RedisCommand = { key, args: ['GETRANGE', key, '0', end] }
      const conditional: RedisCommand = {
        key,
        args: ['EVALSHA', readEntryScript.sha1, '1', key, stamp ?? '', end],
      }
      const [replies, view] = await readView(tags, [stamp === undefined ? get : conditional], patience)
      if (replies[0] instanceof Error && replies[0].message.startsWith('NOSCRIPT')) {
        const reply = await run(readEntryScript, [key], [stamp ?? '', end], patience)
        const [, after] = await readView(tags, [], patience)
        return { bytes: reply === 1 ? 'unchanged' : entryBytes(reply), view: after }
      }
      return { bytes: replies[0] === 1 ? 'unchanged' : entryBytes(replies[0]), view }
    },

    async readTags(tags, patience) {
      await connected(patience)
      const [, view] = await readView(tags, [], patience)
      return view
    },

    async write(key, record, ttlMs, { token = '', damaged = '' } = {}): Promise<WriteOutcome> {
      await connected()
      const payload = keyPayload(next(key), key)
      const args = [record, String(ttlMs), token, names.bus, payload, damaged]
      const reply = await run(writeEntryScript, [key, leaseName(key)], args)
      return reply === 1 ? 'stored' : 'superseded'
    },

    async add(key, record, ttlMs): Promise<WriteOutcome> {
      await connected()
      const payload = keyPayload(next(key), key)
      const reply = await run(addEntryScript, [key], [record, String(ttlMs), names.bus, payload])
      return reply === 1 ? 'stored' : 'superseded'
    },

    async claimLease(key, token, ttlMs, stamp, patience): Promise<LeaseState> {
      const args = [token, String(ttlMs), stamp]
      const reply = await run(claimLeaseScript, [leaseName(key), key], args, patience)
      const [holder, livesMs] = Array.isArray(reply) ? (reply as RedisReply[]) : []
      return { holder: text(holder), livesMs: typeof livesMs === 'number' ? livesMs : 0 }
    },

    async renewLeases(leases, ttlMs) {
      const renewed = leases.map(({ key, token }) =>
        run(renewLeaseScript, [leaseName(key)], [token, String(ttlMs)]),
      )
      const replies = await Promise.all(renewed)
      return leases.flatMap(({ key }, index) => (replies[index] === 1 ? [] : [key]))
    },

    async releaseLease(key, token, markMs) {
      const payload = keyPayload(next(key), key)
      await run(releaseLeaseScript, [leaseName(key)], [token, String(markMs), names.bus, payload])
    },

    async invalidate(changes: readonly TagChange[]): Promise<void> {
      await connected()
      await tagWriter.invalidate(changes)
    },

    async invalidateEverything() {
      await connected()
      // Distrusts the entries however recently somebody attended.
      acknowledged.rememberFloor((await tagWriter.attend(history.latest, -1)).floor)
    },

    confirm: async () => (confirm === undefined ? 0 : confirm()),
    remember: ({ clock, now, changes }) => acknowledged.remember(clock, now, changes),

    async catchUp(seen, tags, patience) {
      await connected(patience)
      const [, view] = await readView(tags, [], patience)
      if (view.clock >= seen) return view
      await within(attend(seen), patience?.leftMs)
      return (await readView(tags, [], patience))[1]
    },

    fenceAt: (time: LocalMillis) => history.at(time),
    get firstClock() {
      return history.first
    },
    get latestClock() {
      return history.latest
    },
    observe: observed,
    heartbeat,
    toServer: (local) => serverTime.toServer(local),
    toLocal: (server) => serverTime.toLocal(server),
    onReady: (listener) => void readyListeners.add(listener),

    async close() {
      clearInterval(heartbeats)
      unregister()
      await Promise.all([client.close(), confirmation?.client.close()])
    },
  }
}
