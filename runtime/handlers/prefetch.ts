import { subscribe } from 'node:diagnostics_channel'
import type { CacheHandlerContext } from './next-types'

const HEADER = 'next-router-prefetch'

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
    if (headers?.[HEADER] === '1') prefetches.add(headers)
  })
}

/**
 * Next answers a prefetch with an old page and refreshes nothing (`RouteModule.handleResponse`,
 * `ResponseCache.handleGet`); the visit that follows does.
 */
export function isPrefetch({ _requestHeaders: headers }: CacheHandlerContext): boolean {
  if (headers === undefined) return false
  return headers['purpose'] === 'prefetch' || headers[HEADER] === '1' || prefetches.has(headers)
}
