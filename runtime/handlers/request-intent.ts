import { subscribe } from 'node:diagnostics_channel'
import type { CacheHandlerContext, CacheHandlerGetContext } from './next-types'
import type { NextAbilities } from './next-version'

const PREFETCH = 'next-router-prefetch'

/** The headers of requests that were prefetches when they came. */
const prefetches = new WeakSet<object>()
let isWatching = false

/**
 * Looks at each request before Next does: Next deletes the header that tells a prefetch from the request's own
 * headers (`stripFlightHeaders`) and hands the same object to the handler.
 */
export function watchPrefetches(): void {
  if (isWatching) return
  isWatching = true
  subscribe('http.server.request.start', (message) => {
    const headers = (message as { request?: { headers?: Record<string, unknown> } }).request?.headers
    if (headers?.[PREFETCH] === '1') prefetches.add(headers)
  })
}

/** What Next knows of a request it notes on it, its cache included, which has headers of its own (`base-server`). */
const META = Symbol.for('NextInternalRequestMeta')

interface AnsweredRequest {
  headers?: object
  [META]?: { incrementalCache?: { requestHeaders?: object } }
}

/** Tells of each request that was answered, by whichever headers a handler knows it, and whether it failed. */
export function watchAnswers(answered: (headers: object, hasFailed: boolean) => void): void {
  subscribe('http.server.response.finish', (message) => {
    const { request, response } = message as {
      request?: AnsweredRequest
      response?: { statusCode?: number }
    }
    const hasFailed = (response?.statusCode ?? 500) >= 500
    for (const headers of [request?.headers, request?.[META]?.incrementalCache?.requestHeaders])
      if (typeof headers === 'object' && headers !== null) answered(headers, hasFailed)
  })
}

/**
 * When Next stores a response after it read one: who generates nothing must not hold off, or wait for, those who
 * do. `whenMissing`: a prefetch serves an old page as it is (`ResponseCache.handleGet`). `whenOld`: a navigation
 * and a server action look into the stored page for what it was made of, render for themselves alone, and refresh
 * an old page beside (`app-page-runtime`, "RDC for navigations").
 */
export type Generates = 'always' | 'whenMissing' | 'whenOld'

export function generatesAfter(
  { _requestHeaders: headers }: CacheHandlerContext,
  { isRoutePPREnabled }: Pick<CacheHandlerGetContext, 'isRoutePPREnabled'>,
  { honoursCacheControl }: Pick<NextAbilities, 'honoursCacheControl'>,
): Generates {
  // Before 16.4 a visit of a partially prerendered page looks for the page and, missing it, renders from the
  // shell of its route: no entry follows, and whoever waited would wait for nothing.
  if (isRoutePPREnabled && !honoursCacheControl) return 'whenOld'
  if (headers === undefined) return 'always'
  // `res.revalidate(path, { unstable_onlyGenerated: true })` generates nothing where there is nothing.
  if (headers['x-prerender-revalidate-if-generated'] !== undefined) return 'whenOld'
  if (headers['purpose'] === 'prefetch' || headers[PREFETCH] === '1' || prefetches.has(headers))
    return 'whenMissing'
  if (!isRoutePPREnabled) return 'always'
  // From requests that are answered with the stored page itself Next has deleted `rsc`.
  const isNavigation = headers['rsc'] === '1'
  const isAction =
    headers['next-action'] !== undefined ||
    /^(multipart\/form-data|application\/x-www-form-urlencoded)/.test(String(headers['content-type']))
  return isNavigation || isAction ? 'whenOld' : 'always'
}
