import type { Environment, Variables } from '../../src/environment'
import type { Driver } from '../../src/options'
import type { CreateClient } from '../clients/client'
import type { CacheHandlerClass, UseCacheHandler } from '../handlers/next-types'
import type * as RuntimeDoor from '../index'

/** What the entries export to Next, whoever serves. */
export interface Handlers {
  readonly CacheHandler: CacheHandlerClass
  readonly useCacheHandlers: { readonly default: UseCacheHandler; readonly remote: UseCacheHandler }
}

/** Made once per process, by the router; final after one turn, when the driver is loaded or is not. */
export interface Decision {
  /** `stock`: Next's own handlers. `fallback`: the handlers the application had. `runtime`: this package. */
  mode: 'stock' | 'fallback' | 'runtime'
  /** One line for people: what serves, and why. */
  reason: string
  readonly handlers: Handlers
}

/** What the previous handlers need to know to behave as if the wrapper were not there. */
export interface StockSettings {
  /** `cacheMaxMemorySize` as the application had it [bytes]: the build bakes 0. */
  readonly memoryBytes: number
  /** `images.maximumDiskCacheSize` [bytes]; undefined: Next's own default. */
  readonly imageDiskBytes: number | undefined
  /** True when the application's own `cacheHandler` took images before the wrapper came. */
  readonly imagesInHandler: boolean
}

/** What an entry knows that is particular to its driver. */
export interface EntryModules {
  readonly driver: Driver
  /** Literal requires of the entry, so that bundlers trace them; not called before they are needed. */
  readonly loadRuntime: () => typeof RuntimeDoor
  readonly loadClient: () => { readonly createClient: CreateClient }
}

/** What the generated router is handed: it requires nothing of this package by itself. */
export interface RouterHost extends EntryModules {
  readonly variables: Variables
  readonly readEnvironment: (variables: Variables) => Environment
  readonly withoutSecrets: (message: string, url: string | undefined) => string
  readonly redactUrl: (url: string) => string
  readonly encodeNamespace: (namespace: string) => string
  /** The text of a file, trimmed; undefined when it cannot be read or is empty. */
  readonly readText: (path: string) => string | undefined
  readonly createStockHandlers: (settings: StockSettings) => Handlers
  readonly createFallbackHandlers: (modules: FallbackModules, settings: StockSettings) => Handlers
  /** The same handlers, whose invalidations also reach the fleet. */
  readonly withForwarding: (handlers: Handlers, forwarder: RuntimeDoor.InvalidationForwarder) => Handlers
  /** `make`, after the handlers of this process are there. */
  readonly inNextTurn: <Made>(make: () => Made) => Promise<Made>
  /**
   * Handlers before it is known whose they are.
   * @param oneForBoth whether the two handlers of `use cache` are one object
   */
  readonly handlersOnce: (decided: Promise<Handlers>, oneForBoth: boolean) => Handlers
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
}

/** The application's own handlers, as the generated router requires them. */
export interface FallbackModules {
  readonly cacheHandler?: () => unknown
  readonly default?: () => unknown
  readonly remote?: () => unknown
}

/** What the generated router exports. */
export interface RouterModule {
  decide(host: RouterHost): Decision
}
