import type { LocalMillis } from '../../src/units'

/** Request: read once. Cache: what is read becomes part of an entry that is stored. None: Next is not at work. */
export type Consumer = 'request' | 'cache' | 'none' | 'unknown'

/** Work whose result Next stores (`willConsumerServerCache` in 16.4). */
const CACHING = new Set([
  'cache',
  'private-cache',
  'unstable-cache',
  'prerender',
  'prerender-client',
  'prerender-legacy',
  'prerender-ppr',
])

/**
 * Who consumes what is read now, as far as Next positively says so. Internal to Next
 * (`work-unit-async-storage.external`, next@16.2 to 16.4), hence the guard; without it nothing is known.
 */
export function currentConsumer(): Consumer {
  const units = workUnits()
  if (units === undefined) return 'unknown'
  const type = units.getStore()?.type
  if (type === undefined) return 'none'
  if (type === 'request') return 'request'
  return CACHING.has(type) ? 'cache' : 'unknown'
}

/** When the request began on whose behalf this runs; undefined when Next does not say (it does from 16.3 on). */
export function requestStart(): LocalMillis | undefined {
  const at = works()?.getStore()?.requestStartTime
  return typeof at === 'number' ? at : undefined
}

/**
 * Something that identifies the request on whose behalf this runs: its headers, which Next hands to the handlers
 * of responses, too (next@16.2 to 16.4). Undefined when Next does not say.
 */
export function currentRequest(): object | undefined {
  const work = works()?.getStore()
  const headers = work?.incrementalCache?.requestHeaders
  return typeof headers === 'object' && headers !== null ? headers : work
}

/**
 * Whether the request invalidated tags of which Next tells the handlers only when the server action is over. Until
 * then it goes by the age of what it reads (next@16.4), or refuses all that has such a tag.
 */
export function hasPendingInvalidations(): boolean {
  const pending = works()?.getStore()?.pendingRevalidatedTags
  return Array.isArray(pending) && pending.length > 0
}

/**
 * Runs work of our own outside of the render that asks for it. Within a prerender Next takes whatever asks for
 * time or chance (`Date.now()`, `Math.random()`, `randomUUID()`; drivers do, too) for a use of the request, and
 * gives the prerender up.
 */
export function outsideRender<T>(work: () => T): T {
  const units = workUnitsToLeave()
  return units?.getStore() === undefined ? work() : units.run(undefined, work)
}

interface WorkStore {
  requestStartTime?: unknown
  incrementalCache?: { requestHeaders?: unknown }
  pendingRevalidatedTags?: unknown
}

interface Storage<T> {
  getStore(): T | undefined
  run<Result>(store: T | undefined, work: () => Result): Result
}

const workUnits = once(() => {
  const loaded: unknown = require('next/dist/server/app-render/work-unit-async-storage.external.js')
  return asStorage<{ type?: string }>((loaded as { workUnitAsyncStorage?: unknown }).workUnitAsyncStorage)
})

const workUnitsToLeave = once(() => {
  const units = workUnits()
  // Throws where it is the stand-in that Next has for runtimes without asynchronous contexts.
  units?.run(undefined, () => {})
  return units
})

const works = once(() => {
  const loaded: unknown = require('next/dist/server/app-render/work-async-storage.external.js')
  return asStorage<WorkStore>((loaded as { workAsyncStorage?: unknown }).workAsyncStorage)
})

function asStorage<T>(found: unknown): Storage<T> | undefined {
  return typeof (found as Partial<Storage<T>> | undefined)?.getStore === 'function'
    ? (found as Storage<T>)
    : undefined
}

/** At first use, since Next has to be loaded before; a module that is missing is not asked for again. */
function once<T>(load: () => T | undefined): () => T | undefined {
  let loaded: { value: T | undefined } | undefined
  return () => {
    if (loaded === undefined) {
      try {
        loaded = { value: load() }
      } catch {
        loaded = { value: undefined }
      }
    }
    return loaded.value
  }
}
