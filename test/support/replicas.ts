import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { InvalidationForwarder, Runtime, RuntimeConfig } from '../../runtime'
import type { CreateClient } from '../../runtime/clients/client'
import { createRuntime, type RuntimeTuning } from '../../runtime/create-runtime'
import { ON_CLUSTER } from './redis-server'
import type { UseCacheEntry } from '../../runtime/handlers/next-types'
import { streamOf } from '../../runtime/handlers/use-cache-codec'
import { CHANNEL_PREFIX, type TelemetryEvent, type TelemetryEvents } from '../../runtime/telemetry'
import type { Keyring } from '../../src/encryption'
import type { Driver, ResolvedOptions } from '../../src/options'
import type { Topology } from '../../src/redis-topology'
import { localNow } from '../../src/server-time'
import { createIoredis, createNodeRedis } from './clients'

export const DRIVERS: Record<Driver, CreateClient> = { ioredis: createIoredis, redis: createNodeRedis }

export const TEST_OPTIONS: ResolvedOptions = {
  preset: 'strict',
  driver: 'ioredis',
  useCache: 'all',
  images: false,
  namespace: undefined,
  keyPrefix: 'ndc:test',
  // Most tests read without generating, for which others would wait; single-flight.test.ts turns it on.
  singleFlight: false,
  l1: { maxBytes: 64 * 1024 * 1024, maxEntryBytes: 4 * 1024 * 1024 },
  // A cluster is several servers on the same machine, each to be dialled.
  timeouts: { connectMs: ON_CLUSTER ? 15_000 : 2000, commandMs: 2000, requestBudgetMs: 4000 },
  invalidations: { onFailure: 'journal', replicas: 0 },
  compression: { codec: 'none', thresholdBytes: 4096 },
  maxEntryBytes: 16 * 1024 * 1024,
  maxTtlSeconds: 30 * 24 * 3600,
}

export interface ReplicaOptions {
  url: string
  /** Default: that of the suite. */
  topology?: Topology
  driver: Driver
  namespace?: string
  options?: Partial<ResolvedOptions>
  tuning?: RuntimeTuning
  encryption?: Keyring | undefined
  /** Default: that of the driver. */
  createClient?: CreateClient
  /** When the build began [ms]; its output is where the handlers are told. */
  buildStartedAt?: number
}

/** With `NDC_TOPOLOGY=cluster` the servers of redis-server.ts are clusters, whose URLs are lists. */
function topologyOf(url: string): Topology {
  return url.includes(',') ? 'cluster' : 'single'
}

export type Replica = Runtime & InvalidationForwarder

/** One replica's runtime with connections of its own: what the router builds in a server process. */
export function startReplica({
  url,
  topology = topologyOf(url),
  driver,
  namespace = 'build-1',
  options = {},
  tuning,
  encryption,
  buildStartedAt,
  createClient = DRIVERS[driver],
}: ReplicaOptions): Replica {
  const config: RuntimeConfig = {
    options: { ...TEST_OPTIONS, driver, ...options },
    backend: 'redis',
    url,
    topology,
    namespace,
    debug: false,
    encryption,
    buildStartedAt,
    createClient,
  }
  return createRuntime(config, tuning)
}

/** Ends the replicas when the test does. */
export function createFleet() {
  const replicas: Replica[] = []
  return {
    start(options: ReplicaOptions): Replica {
      const replica = startReplica(options)
      replicas.push(replica)
      return replica
    },
    async stop() {
      await Promise.all(replicas.splice(0).map((replica) => replica.close()))
    },
  }
}

/** Collects the events of one channel while `run` runs. */
export async function record<E extends TelemetryEvent>(
  event: E,
  run: () => Promise<unknown>,
): Promise<TelemetryEvents[E][]> {
  const seen: TelemetryEvents[E][] = []
  const listener = (message: unknown) => void seen.push(message as TelemetryEvents[E])
  subscribe(CHANNEL_PREFIX + event, listener)
  try {
    await run()
  } finally {
    unsubscribe(CHANNEL_PREFIX + event, listener)
  }
  return seen
}

/** Resolves with the first message that fits. */
export function nextEvent<E extends TelemetryEvent>(
  event: E,
  fits: (message: TelemetryEvents[E]) => boolean = () => true,
): Promise<TelemetryEvents[E]> {
  return new Promise((resolve) => {
    const listener = (message: unknown) => {
      if (!fits(message as TelemetryEvents[E])) return
      unsubscribe(CHANNEL_PREFIX + event, listener)
      resolve(message as TelemetryEvents[E])
    }
    subscribe(CHANNEL_PREFIX + event, listener)
  })
}

/** An entry of `use cache` whose generation begins now. */
export function useCacheEntry(content: string, more: Partial<UseCacheEntry> = {}): UseCacheEntry {
  return {
    value: streamOf(Buffer.from(content)),
    tags: [],
    stale: 300,
    timestamp: localNow(),
    expire: 3600,
    revalidate: 900,
    ...more,
  }
}

/** Whether Next would refresh it in the background. */
export function isStale(entry: UseCacheEntry | undefined): boolean {
  return entry !== undefined && localNow() > entry.timestamp + entry.revalidate * 1000
}

export async function contentOf(entry: UseCacheEntry | undefined): Promise<string | undefined> {
  return entry && (await new Response(entry.value).text())
}
