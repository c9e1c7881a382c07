import { randomUUID } from 'node:crypto'
import { isCodecAvailable } from '../src/compression'
import { DistributedCacheError, messageOf } from '../src/errors'
import { createKeyNames, type KeyNames } from '../src/key-names'
import type { EntryFormat } from '../src/entry'
import { maxRecordBytes } from '../src/record'
import type { ResolvedOptions } from '../src/options'
import { localNow } from '../src/server-time'
import type { Bytes, Clock, Milliseconds } from '../src/units'
import { BuildOutput } from './build-output/build-output'
import { Bus } from './bus/bus'
import { BuildTier } from './cache/build-tier'
import { Cache } from './cache/cache'
import { EntryReader } from './cache/entry-reader'
import { Ingredients } from './cache/ingredients'
import { Invalidator } from './cache/invalidator'
import { Journal } from './cache/journal'
import { LocalEntries } from './cache/local-entries'
import { SingleFlight } from './cache/single-flight'
import { RequestBudgets } from './cache/request-budget'
import { LocalTagView } from './cache/tag-view'
import { withBreaker } from './clients/breaker'
import type { CircuitChange, RedisClient } from './clients/client'
import { createCacheHandlerClass } from './handlers/response-handler'
import { windowSecondsOf } from './handlers/tag-durations'
import { createUseCacheHandler } from './handlers/use-cache-handler'
import type { InvalidationForwarder, Runtime, RuntimeConfig } from './index'
import { createLogger, type Logger } from './logger'
import { createLocalStore } from './memory/local-store'
import { createMemoryStore } from './memory/memory-store'
import { createRedisStore, type RedisStoreOptions } from './store/redis-store'
import type { Store } from '../src/store'
import { END_DEADLINE_MS, type Endable } from './process-end'
import { createEmit, type Emit } from './telemetry'
import { orAfter } from './within'

/** What a build worker may hold. The heap of a build is larger than that of a server. */
const BUILD_MEMORY_BYTES: Bytes = 256 * 1024 * 1024
/** The tag state outlives the longest entry by this much. */
const STATE_MARGIN_MS: Milliseconds = 24 * 3600 * 1000

/** A tag record is kept as long as any entry may need it, which lives a little longer than `maxTtlSeconds` (jitter). */
const KEEP_TAGS_FACTOR = 1.1
/** How wrong this process's idea of the server's time may be, with room to spare. */
const CLOCK_MARGIN_MICROS = 5_000_000
/** Topics of the log. */
const NOT_ASKED = 'Redis is not asked until it answers again'
const ANSWERS = 'Redis answers again'

/** For tests, which count commands or do not wait for seconds. */
export interface RuntimeTuning extends Pick<RedisStoreOptions, 'attendEveryMs' | 'attendGraceMs'> {
  readonly endDeadlineMs?: Milliseconds
}

/** Puts the parts together. The one place that knows all of them, and which of them each configuration has. */
export function createRuntime(
  config: RuntimeConfig,
  tuning: RuntimeTuning = {},
): Runtime & InvalidationForwarder & Endable {
  const emit = createEmit(config.debug)
  const log = createLogger()
  const names = createKeyNames(config.options.keyPrefix, config.namespace)
  const publisher = randomUUID()
  const local = new LocalEntries(config.options.l1)
  const view = new LocalTagView()
  const client = config.backend === 'memory' ? undefined : openClient(config, names, circuitChanged)
  const store =
    client === undefined
      ? createMemoryStore(BUILD_MEMORY_BYTES)
      : openRedisStore(client, config, { names, publisher, emit, log, tuning })
  let flight: SingleFlight | undefined
  const bus =
    client &&
    new Bus({
      client,
      channel: names.bus,
      publisher,
      isPlausible: (clock) => clock <= latestPossible(store),
      listener: {
        onLive: () => store.heartbeat(),
        onInvalidation(message) {
          view.apply(message)
          store.observe(message.clock)
          store.remember(message)
        },
        onGap(reason) {
          view.forget()
          local.endEpoch()
          emit('gap', { reason })
        },
        onKey(key, kind, byThisProcess) {
          if (kind === 'write') local.announced(key, byThisProcess)
          flight?.wake(key)
        },
      },
    })
  const { singleFlight, preset } = config.options
  if (singleFlight !== false && bus !== undefined)
    flight = new SingleFlight({ store, bus, emit, ...singleFlight })
  // With a proven subscription memory answers by itself; `strict` subscribes only while somebody waits.
  const servingBus = preset === 'l1-pubsub' ? bus : undefined
  servingBus?.use()

  const journal = new Journal()
  const invalidator = new Invalidator({
    store,
    journal,
    options: config.options.invalidations,
    patienceMs: 2 * config.options.timeouts.commandMs,
    emit,
    log,
  })
  const ingredients = new Ingredients()
  const budgets = new RequestBudgets(config.options.timeouts.requestBudgetMs)
  const options = withUsableCodec(config.options, log)
  const format: EntryFormat = { ...options, encryption: config.encryption }
  const shared = { names, options, format, invalidator, journal, budgets, ingredients, emit, log }
  const { maxTtlSeconds } = options
  const reader = new EntryReader({
    store,
    local,
    view,
    bus: servingBus,
    journal,
    format,
    maxTtlSeconds,
    emit,
  })
  const { buildStartedAt: startedAt } = config
  const build =
    client && startedAt !== undefined ? new BuildTier({ store, startedAt, format, options }) : undefined
  const cache = new Cache({ ...shared, store, reader, local, flight, build })
  const sharedHandler = createUseCacheHandler(cache)
  // One object for both kinds: Next then announces every invalidation once, not twice.
  const localHandler =
    config.options.useCache === 'remote-only' ? createUseCacheHandler(cacheOfThisProcess()) : sharedHandler

  function circuitChanged(change: CircuitChange): void {
    emit('circuit', change)
    const { state, reason, refused, ms } = change
    // Of several servers, what one of them does is not the end of what another one did.
    const endOf = (topic: string) => (config.topology === 'cluster' ? undefined : topic)
    if (state === 'open') log(NOT_ASKED, reason, endOf(ANSWERS))
    else {
      const said = `after ${Math.ceil(ms / 1000)} s, in which ${refused} commands were refused`
      log(ANSWERS, said, endOf(NOT_ASKED))
    }
  }

  async function releaseLeases(): Promise<void> {
    await flight?.release()
  }

  function cacheOfThisProcess(): Cache {
    const own = createLocalStore(store, config.options.l1)
    const nothing = new LocalEntries({ maxBytes: 0, maxEntryBytes: 0 })
    // It never leaves this process.
    const plain: EntryFormat = { ...format, encryption: undefined }
    const ownReader = new EntryReader({
      store: own,
      local: nothing,
      view,
      bus: undefined,
      journal,
      format: plain,
      maxTtlSeconds,
      emit,
    })
    return new Cache({
      ...shared,
      format: plain,
      store: own,
      reader: ownReader,
      local: nothing,
      flight: undefined,
    })
  }

  return {
    CacheHandler: createCacheHandlerClass(cache, new BuildOutput()),
    useCacheHandlers: { default: localHandler, remote: sharedHandler },
    async invalidate(tags, durations) {
      // The caller's own handlers have done their part: whether to reject is not ours to say.
      await cache.invalidate(tags, windowSecondsOf(durations)).catch(() => {})
    },
    sendWhatWaits: () => invalidator.flush(),
    releaseLeases,
    sayWhatIsLeft() {
      invalidator.sayWhatIsLost()
      log.flush()
    },
    async close() {
      const deadlineMs = tuning.endDeadlineMs ?? END_DEADLINE_MS
      const done = Promise.all([cache.drained(), invalidator.close()]).then(releaseLeases)
      await orAfter(done, deadlineMs).catch(() => {})
      budgets.close()
      await bus?.close()
      await store.close()
    },
  }
}

/** The newest clock that a message may tell: what Redis said itself, or its time, which the clock follows. */
function latestPossible(store: Store): Clock {
  return Math.max(store.latestClock, store.toServer(localNow())) + CLOCK_MARGIN_MICROS
}

/** The server may run on another Node than the one that evaluated the options. */
function withUsableCodec(options: ResolvedOptions, log: Logger): ResolvedOptions {
  const { codec } = options.compression
  if (isCodecAvailable(codec)) return options
  log(
    `This Node.js has no ${codec}`,
    'entries are stored uncompressed. Use Node.js 22.15 or newer, or another codec',
  )
  return { ...options, compression: { ...options.compression, codec: 'none' } }
}

function openClient(
  { options, url, topology, createClient }: RuntimeConfig,
  names: KeyNames,
  onChange?: (change: CircuitChange) => void,
  suffix = '',
): RedisClient {
  if (url === undefined || createClient === undefined) {
    throw new DistributedCacheError(
      'ROUTER',
      'The redis backend needs a URL and a driver. Set REDIS_URL, and install ioredis or redis.',
    )
  }
  const { connectMs, commandMs } = options.timeouts
  const client = createClient({
    url,
    topology,
    // Without the tag state nothing can be judged.
    homeKey: names.tags,
    onCircuit: onChange,
    connectMs,
    commandMs,
    clientName: options.keyPrefix + suffix,
  })
  // A node that hangs says nothing of the others: a cluster has a circuit for each.
  if (topology === 'cluster') return client
  return withBreaker(client, { commandMs, ...(onChange && { onChange }) })
}

function openRedisStore(
  client: RedisClient,
  config: RuntimeConfig,
  parts: { names: KeyNames; publisher: string; emit: Emit; log: Logger; tuning: RuntimeTuning },
): Store {
  const { names, publisher, emit, log, tuning } = parts
  const { timeouts, maxTtlSeconds, invalidations } = config.options
  const { replicas } = invalidations
  return createRedisStore({
    ...tuning,
    client,
    names,
    publisher,
    connectMs: timeouts.connectMs,
    commandMs: timeouts.commandMs,
    maxRecordBytes: maxRecordBytes(config.options.maxEntryBytes),
    stateTtlMs: maxTtlSeconds * 1000 + STATE_MARGIN_MS,
    keepTagsMs: Math.round(maxTtlSeconds * 1000 * KEEP_TAGS_FACTOR),
    confirmation:
      replicas === 0
        ? undefined
        : {
            client: openClient(config, names, undefined, ':confirmation'),
            replicas,
            waitMs: timeouts.commandMs,
          },
    onError(what, error) {
      // What was under way when the process ended.
      if ((error as { code?: unknown } | null)?.code === 'CLOSED') return
      log(`${what} failed`, messageOf(error))
    },
    onDamage(records) {
      emit('damaged', { records })
      log('The tag state holds what is not ours', `${records} records; what carries these tags is rendered`)
    },
    onRestore(tags) {
      emit('restored', { tags })
      log('Redis had lost acknowledged invalidations, which hold again', `${tags} tags (a failover?)`)
    },
  })
}
