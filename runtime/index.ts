import type { ResolvedOptions } from '../src/options'
import type { CreateClient } from './clients/client'

/** Everything the runtime needs to know, decided by the router when the process started. */
export interface RuntimeConfig {
  readonly options: ResolvedOptions
  /** `redis`: the shared cache. `memory`: an in-process cache for the length of `next build`; opens no socket. */
  readonly backend: 'redis' | 'memory'
  /** Redis URL; required for the `redis` backend. */
  readonly url: string | undefined
  /** Tells the entries of deployments apart. */
  readonly namespace: string
  /** One line per cache operation on the console. */
  readonly debug: boolean
  /** Adapter of the installed driver; required for the `redis` backend. */
  readonly createClient: CreateClient | undefined
}
