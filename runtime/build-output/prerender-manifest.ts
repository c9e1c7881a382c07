import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CacheControl } from '../handlers/next-types'

/** The life of everything that the build prerendered, by the path of its files below `app` or `pages`. */
export type PrerenderedLives = ReadonlyMap<string, CacheControl>

interface PrerenderManifest {
  routes?: Record<string, { initialRevalidateSeconds?: number | false; initialExpireSeconds?: number }>
  dynamicRoutes?: Record<string, DynamicRoute>
}

interface DynamicRoute {
  fallback?: string | false | null
  fallbackRevalidate?: number | false
  fallbackExpire?: number
  /** App Router: what the shell leaves open. */
  fallbackRouteParams?: readonly unknown[]
}

/**
 * Reads `prerender-manifest.json`. What Next decides at run time by the same file is in
 * `shared-cache-controls.external` (next@16.2 to 16.4).
 */
export async function readPrerenderedLives(serverDistDir: string): Promise<PrerenderedLives> {
  const text = await readFile(join(serverDistDir, '..', 'prerender-manifest.json'), 'utf8')
  const { routes = {}, dynamicRoutes = {} } = JSON.parse(text) as PrerenderManifest
  const lives = new Map<string, CacheControl>()
  const add = (route: string, revalidate: number | false | undefined, expire: number | undefined) => {
    if (revalidate !== undefined) lives.set(filePathOf(route), { revalidate, expire })
  }
  // The shell of a dynamic route.
  for (const [route, dynamic] of Object.entries(dynamicRoutes))
    add(route, shellRevalidate(dynamic), dynamic.fallbackExpire)
  for (const [route, { initialRevalidateSeconds, initialExpireSeconds }] of Object.entries(routes))
    add(route, initialRevalidateSeconds, initialExpireSeconds)
  return lives
}

/**
 * The life of a shell; undefined: it is never served as it is. With `partialPrefetching` Next (16.4) asks for one that
 * it lists as blocking, and may be unable to render another.
 */
function shellRevalidate({ fallback, fallbackRevalidate, fallbackRouteParams = [] }: DynamicRoute) {
  return fallbackRevalidate ?? (fallback === null && fallbackRouteParams.length > 0 ? false : undefined)
}

/** Whether the configuration that the build wrote down has it on. */
export async function readPartialPrefetching(serverDistDir: string): Promise<boolean> {
  const text = await readFile(join(serverDistDir, '..', 'required-server-files.json'), 'utf8')
  const { config } = JSON.parse(text) as { config?: { partialPrefetching?: boolean } }
  return config?.partialPrefetching === true
}

/** As Next's `normalizePagePath`. */
function filePathOf(route: string): string {
  if (route === '/') return '/index'
  return /^\/index(\/|$)/.test(route) && !/\/\[[^/]+\]/.test(route) ? `/index${route}` : route
}
