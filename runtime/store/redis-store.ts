import { ClockHistory } from '../../src/clock-history'
import { keyPayload, lanePayload } from '../../src/bus-message'
import { leaseName } from '../../src/key-names'
import { Lanes } from '../../src/lanes'
import { localNow, ServerTime } from '../../src/server-time'
import type { TagChange } from '../../src/tag-state'
import type { Bytes, Clock, LocalMillis, Milliseconds } from '../../src/units'
import { CLOCK_HORIZON_MICROS } from '../../src/units'
import type { RedisClient, RedisReply } from '../clients/client'
import { Acknowledged } from './acknowledged'
import { createConfirmation } from './confirmation'
import { createReadBatches } from './read-batches'
import { claimOf, parseLease } from './leases'
import { RecordWriter } from './record-writer'
import { entryBytes, parseTagView, parseTime, readTagsCommand } from './replies'
import { callOf, loadScripts, runScript, type Script } from './script'
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
import type { LeaseState, Patience, Store, StoredBytes } from '../../src/store'
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
  const records = new RecordWriter({ client, publisher: options.publisher, bus: names.bus }, next)
  const { confirmation } = options
  const confirm =
    confirmation && createConfirmation({ ...confirmation, key: names.tags, ttlMs: options.stateTtlMs })

  const latestPossible = (): Clock => serverTime.now() + CLOCK_HORIZON_MICROS

  /** What the bus, or the tag state in a reply, says of the clock. Not from the far future, which anybody may claim. */
  function observed(clock: Clock): void {
    if (clock <= latestPossible()) history.observe(localNow(), clock)
  }

  async function run(
    script: Script,
    keys: string[],
    args: (string | Buffer)[],
    patience?: Patience,
  ): Promise<RedisReply> {
    return runScript(client, script, keys, args, { timeoutMs: timeoutOf(patience) })
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

  const batches = createReadBatches({
    client,
    commandMs: options.commandMs,
    end,
    async ask(commands, tags, timeoutMs) {
      // The connection may be another one than when the read was asked for.
      if (!attended) await connected({ leftMs: timeoutMs })
      const at = commands.length
      const sentAt = localNow()
      // What is learnt while it is under way may overtake it, in a Cluster above all: it holds for later reads.
      const known = history.latest
      // Last: tag state that was read later than an entry judges it safely.
      commands.push(readTagsCommand(names.tags, tags))
      const withTime = serverTime.isDue(sentAt)
      if (withTime) commands.push({ key: names.tags, args: ['TIME'] })
      const replies = await client.send(commands, timeoutMs)
      const time = withTime ? parseTime(replies[at + 1]) : undefined
      if (time !== undefined) serverTime.sample(sentAt, localNow(), time)
      const view = parseTagView(replies[at], tags, latestPossible())
      if (view === undefined || view.clock < known) return [replies, undefined]
      observed(view.clock)
      return [replies, view]
    },
    // The state is gone, or behind what we know: raise the floor before anything is served.
    recover: async (timeoutMs) => void (await within(attend(history.latest), timeoutMs)),
    async mend(damaged, timeoutMs) {
      options.onDamage(damaged.length)
      const changes = damaged.map((tag) => ({ tag, windowMicros: undefined }))
      await within(tagWriter.invalidate(changes), timeoutMs)
    },
    async readByScript(key, stamp, tags, patience) {
      const reply = await run(readEntryScript, [key], [stamp, end], patience)
      const view = await batches.readTags(tags, patience)
      return { bytes: reply === 1 ? 'unchanged' : entryBytes(reply), view }
    },
  })

  return {
    // On a connection that is greeted nothing lies between the caller and its batch.
    read(key, tags, stamp, patience, bid): Promise<StoredBytes> {
      if (attended) return batches.read(key, tags, stamp, patience, bid)
      return connected(patience).then(() => batches.read(key, tags, stamp, patience, bid))
    },

    async readTags(tags, patience) {
      await connected(patience)
      return batches.readTags(tags, patience)
    },

    async write(key, record, ttlMs, more = {}) {
      await connected()
      return records.write(key, record, ttlMs, more)
    },

    async add(key, record, ttlMs) {
      await connected()
      return records.add(key, record, ttlMs)
    },

    async claimLease(key, token, ttlMs, stamp, patience): Promise<LeaseState> {
      const { keys, args } = claimOf(key, token, ttlMs, stamp)
      return parseLease(await run(claimLeaseScript, keys, args, patience), token, ttlMs)
    },

    async renewLeases(leases, ttlMs) {
      const ttl = String(ttlMs)
      const replies = await client.send(
        leases.map(({ key, token }) => callOf(renewLeaseScript, [leaseName(key)], [token, ttl])),
      )
      // A server that does not know the script is told it, for each.
      const outcomes = await Promise.all(
        leases.map(async ({ key, token }, index) => {
          const reply = replies[index]
          return reply instanceof Error ? run(renewLeaseScript, [leaseName(key)], [token, ttl]) : reply
        }),
      )
      return leases.flatMap(({ key }, index) => (outcomes[index] === 1 ? [] : [key]))
    },

    async releaseLease(key, token, markMs) {
      const payload = keyPayload(next(key), key)
      await run(releaseLeaseScript, [leaseName(key)], [token, String(markMs), names.bus, payload])
    },

    async invalidate(changes: readonly TagChange[]): Promise<void> {
      if (!attended) await connected()
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
      const view = await batches.readTags(tags, patience)
      if (view.clock >= seen) return view
      await within(attend(seen), patience?.leftMs)
      return batches.readTags(tags, patience)
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
