// scripts/lib is plain JavaScript, so that the demo runs without a build; here are its types.
// @ts-ignore: no declarations
import * as prepareAppModule from '../../scripts/lib/prepare-app.mjs'
// @ts-ignore: no declarations
import * as originModule from '../../scripts/lib/origin.mjs'
// @ts-ignore: no declarations
import * as processesModule from '../../scripts/lib/processes.mjs'
// @ts-ignore: no declarations
import * as replicasModule from '../../scripts/lib/replicas.mjs'
// @ts-ignore: no declarations
import * as storeClientModule from '../../scripts/lib/store-client.mjs'

export interface AppChoice {
  readonly variant: 'components' | 'classic'
  readonly bundler: 'turbopack' | 'webpack'
  readonly manager: 'npm' | 'pnpm' | 'workspace'
  /** Version or range. */
  readonly next: string
  readonly driver: 'ioredis' | 'redis'
  readonly options?: Readonly<Record<string, unknown>>
  /** Files to add or replace, by path within the app. */
  readonly files?: Readonly<Record<string, string>>
  /** More environment for `next build`. */
  readonly env?: Readonly<Record<string, string>>
}

export interface PreparedApp {
  readonly name: string
  readonly directory: string
  readonly nextBin: string
  readonly standalone: string
  /** Where server.js is within `standalone`. */
  readonly serverDirectory: string
  readonly buildOutput: string
  /** Connections to the REDIS_URL that `next build` was given. */
  readonly redisConnections: number
}

export interface Origin {
  readonly url: string
  publish(id: string): Promise<number>
  remove(id: string): Promise<unknown>
  delay(id: string, ms: number): Promise<unknown>
  fail(id: string, status: number): Promise<unknown>
  closeGate(id: string): Promise<unknown>
  openGate(id: string): Promise<unknown>
  untilHeld(id: string, count?: number): Promise<unknown>
  counts(): Promise<{ total: number; counts: Record<string, number> }>
  /** How often `reader` asked for `id`. */
  renders(reader: string, id: string): Promise<number>
  stop(): Promise<unknown>
}

/** See examples/store/README.md. */
export interface Facts {
  readonly reader: string
  readonly id: string
  readonly version: number
  readonly serial: number
  readonly render: string
  readonly replica: string
}

export interface Answer {
  readonly status: number
  /** `x-nextjs-cache`; null when Next says nothing. */
  readonly cache: string | null
  readonly headers: Headers
  readonly body: string
  readonly json: Record<string, unknown> | undefined
  readonly facts: Readonly<Record<string, Facts>>
}

export interface StartedReplica {
  readonly name: string
  readonly url: string
  readonly pid: number
  output(): string
  stop(): Promise<unknown>
}

export interface ReplicaOptions {
  readonly name: string
  readonly app: PreparedApp
  /** A directory made by `makeStandalone`; without it, `next start` in the app's own directory. */
  readonly standalone?: string
  readonly env?: Readonly<Record<string, string>>
  readonly unprivileged?: boolean
}

export type ControlRequest =
  | { action: 'revalidateTag'; tag: string; profile?: string | { expire: number } }
  | { action: 'revalidatePath'; path: string; type?: 'page' | 'layout' }

type Waiting = { what?: string; limitMs?: number; everyMs?: number }

export const prepareApp = prepareAppModule.prepareApp as (choice: AppChoice) => Promise<PreparedApp>
export const makeStandalone = prepareAppModule.makeStandalone as (
  app: PreparedApp,
  target: string,
  options?: { readOnly?: boolean },
) => Promise<string>
export const startOrigin = originModule.startOrigin as () => Promise<Origin>
export const startReplica = replicasModule.startReplica as (
  options: ReplicaOptions,
) => Promise<StartedReplica>
/** Polls until `probe` returns something truthy, and returns that. An error counts as "not yet". */
export const until = processesModule.until as <T>(
  probe: () => T | Promise<T>,
  options?: Waiting,
) => Promise<Exclude<T, false | undefined>>
export const visit = storeClientModule.visit as (
  url: string,
  path: string,
  init?: RequestInit,
) => Promise<Answer>
export const control = storeClientModule.control as (url: string, request: ControlRequest) => Promise<unknown>
export const revalidateLegacy = storeClientModule.revalidateLegacy as (
  url: string,
  path: string,
) => Promise<unknown>
export const postAction = storeClientModule.postAction as (
  url: string,
  path: string,
  action: string,
  fields: Readonly<Record<string, string>>,
) => Promise<Answer>
