import type { NextConfig } from 'next'
import { existsSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DistributedCacheError } from '../src/errors'
import type { DistributedCacheOptions } from '../src/options'
import { isOwnEntry } from './entry-paths'
import { checkPath } from './requirements'

/** The paths of the handlers that serve when this package is off; absent: those of Next.js. */
export type PreviousHandlers = Readonly<Partial<Record<'cacheHandler' | 'default' | 'remote', string>>>

type HandlerPaths = Readonly<Record<string, string | undefined>>

/** Keys that Next still moves out of `experimental`, over whatever stands at their new place. */
export interface LegacyExperimental {
  cacheHandlers?: HandlerPaths
  cacheComponents?: boolean
  useCache?: boolean
  outputFileTracingIncludes?: Record<string, string[]>
  outputFileTracingRoot?: string
}

export function configuredUseCacheHandlers(config: NextConfig): HandlerPaths {
  return (config.experimental as LegacyExperimental | undefined)?.cacheHandlers ?? config.cacheHandlers ?? {}
}

/** `use cache` exists in the application: without it, `cacheHandlers` would only break builds with edge routes. */
export function usesUseCache(config: NextConfig, variables: NodeJS.ProcessEnv): boolean {
  const experimental = config.experimental as LegacyExperimental | undefined
  if (config.cacheComponents ?? experimental?.cacheComponents) return true
  if (config.cacheComponents === undefined && variables['__NEXT_CACHE_COMPONENTS'] === 'true') return true
  return experimental?.useCache === true
}

/** What was configured when the wrapper got the config; what the option says, wins. */
export function previousHandlers(
  config: NextConfig,
  fallback: DistributedCacheOptions['fallback'],
): PreviousHandlers {
  const configured = configuredUseCacheHandlers(config)
  for (const [key, path] of Object.entries({ cacheHandler: config.cacheHandler, ...configured }))
    checkPath(path, key === 'cacheHandler' ? key : `cacheHandlers.${key}`)
  if ([config.cacheHandler, ...Object.values(configured)].some(isOwnEntry))
    throw new DistributedCacheError(
      'INVALID_CONFIG',
      'withDistributedCache is applied twice to one config. Apply it once, with all of the options.',
    )
  const paths = {
    cacheHandler: fallback?.cacheHandler ?? config.cacheHandler,
    default: fallback?.cacheHandlers?.['default'] ?? configured['default'],
    remote: fallback?.cacheHandlers?.['remote'] ?? configured['remote'],
  }
  return Object.fromEntries(Object.entries(paths).filter(([, path]) => path != null))
}

/** The files of the previous handlers: a path may be absolute, a file URL, relative to the project, or a package. */
export function locateHandlers(previous: PreviousHandlers, projectDirectory: string): PreviousHandlers {
  const located = Object.entries(previous).map(([kind, path]) => {
    const plain = path.startsWith('file:') ? fileURLToPath(path) : path
    const file = resolve(projectDirectory, plain)
    if (existsSync(file)) return [kind, realpathSync(file)]
    try {
      return [kind, createRequire(join(projectDirectory, 'package.json')).resolve(plain)]
    } catch {
      throw new DistributedCacheError(
        'INVALID_FALLBACK',
        `The cache handler ${JSON.stringify(path)} (${kind}), which DISTRIBUTED_CACHE=off goes back to, does not exist: there is no ${file}. Fix the path in next.config.`,
      )
    }
  })
  return Object.fromEntries(located) as PreviousHandlers
}
