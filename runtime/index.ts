import type { Keyring } from '../src/encryption'
import type { ResolvedOptions } from '../src/options'
import type { Topology } from '../src/redis-topology'
import type { CacheHandlerClass, TagDurations, UseCacheHandler } from './handlers/next-types'
import type { CreateClient } from './clients/client'
import { createRuntime } from './create-runtime'
import { endWithProcess } from './process-end'

/** Everything the runtime needs to know, decided by the router when the process started. */
export interface RuntimeConfig {
  readonly options: ResolvedOptions
  /** `redis`: the shared cache. `memory`: an in-process cache for the length of `next build`; opens no socket. */
  readonly backend: 'redis' | 'memory'
  /** Redis URL, or several; required for the `redis` backend. */
  readonly url: string | undefined
  /** @default 'single' */
  readonly topology?: Topology | undefined
  /** Tells the entries of deployments apart. */
  readonly namespace: string
  /** One line per cache operation on the console. */
  readonly debug: boolean
  /** Keys that seal the entries; undefined: they are stored as they are. */
  readonly encryption?: Keyring | undefined
  /** When `next build` began [ms]; undefined: not known, and nothing is served from its output. */
  readonly buildStartedAt?: number | undefined
  /** Adapter of the installed driver; required for the `redis` backend. */
  readonly createClient: CreateClient | undefined
}

/** What the entries hand to Next. */
export interface Runtime {
  readonly CacheHandler: CacheHandlerClass
  /** The same object twice, unless `useCache` is `remote-only`. */
  readonly useCacheHandlers: { readonly default: UseCacheHandler; readonly remote: UseCacheHandler }
  /** Drains writes within a deadline and ends every connection. */
  close(): Promise<void>
}

/** What `off` keeps of us: invalidations still reach the fleet. Never rejects. */
export interface InvalidationForwarder {
  invalidate(tags: readonly string[], durations?: TagDurations): Promise<void>
}

const PROCESS_RUNTIME = Symbol.for('next-distributed-cache.runtime')
const registry = globalThis as { [PROCESS_RUNTIME]?: Runtime & InvalidationForwarder }

/**
 * The runtime of this process: built at the first call, the same one ever after, in every copy of this
 * module. Next loads the entries several times, and one process shall hold one connection.
 */
export function getRuntime(config: RuntimeConfig): Runtime {
  return runtimeOfProcess(config)
}

/** The forwarder of this process, for `DISTRIBUTED_CACHE=off` with a URL set: the same connection, nothing else. */
export function getForwarder(config: RuntimeConfig): InvalidationForwarder {
  return runtimeOfProcess(config)
}

function runtimeOfProcess(config: RuntimeConfig): Runtime & InvalidationForwarder {
  const known = registry[PROCESS_RUNTIME]
  if (known !== undefined) return known
  const runtime = createRuntime(config)
  registry[PROCESS_RUNTIME] = runtime
  if (config.backend === 'redis') endWithProcess(runtime)
  return runtime
}
