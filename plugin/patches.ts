import type { NextConfig } from 'next'
import { posix } from 'node:path'
import type { DistributedCacheOptions, Driver } from '../src/options'
import { GENERATED_DIRECTORY } from '../src/wiring'
import { entryPaths } from './entry-paths'
import { configuredUseCacheHandlers, type LegacyExperimental, usesUseCache } from './previous-handlers'

/** What Next tells the hook that it runs after compiling. */
export interface CompiledBuild {
  projectDir: string
  distDir: string
}

export interface PatchContext {
  readonly options: DistributedCacheOptions
  readonly driver: Driver
  readonly variables: NodeJS.ProcessEnv
  /** Writes the router into the build output. */
  readonly afterCompile: (build: CompiledBuild) => Promise<void>
}

/** Says what to change, as a fresh object: the config that it gets belongs to the user. */
type Patch = (config: NextConfig, context: PatchContext) => NextConfig

/** Next would move these two over what the other patches set. */
const withoutLegacyNames: Patch = (config) => {
  const experimental = config.experimental as LegacyExperimental | undefined
  if (experimental?.cacheHandlers === undefined && experimental?.outputFileTracingIncludes === undefined)
    return {}
  const { cacheHandlers, outputFileTracingIncludes, ...rest } = experimental
  return {
    experimental: rest as NonNullable<NextConfig['experimental']>,
    ...(cacheHandlers && { cacheHandlers: { ...config.cacheHandlers, ...cacheHandlers } }),
    ...(outputFileTracingIncludes && {
      outputFileTracingIncludes: { ...config.outputFileTracingIncludes, ...outputFileTracingIncludes },
    }),
  }
}

const sharedResponses: Patch = (_config, { driver }) => ({ cacheHandler: entryPaths(driver).cacheHandler })

/** Handlers of other kinds stay the application's own. */
const sharedUseCache: Patch = (config, { driver, variables }) => {
  if (!usesUseCache(config, variables)) return {}
  const { useCacheDefault, useCacheRemote } = entryPaths(driver)
  return {
    cacheHandlers: {
      ...configuredUseCacheHandlers(config),
      default: useCacheDefault,
      remote: useCacheRemote,
    },
  }
}

/** A second, private memory cache in front would answer with what other replicas have invalidated. */
const noPrivateMemory: Patch = () => ({ cacheMaxMemorySize: 0 })

/** For webpack; Turbopack sees nothing below distDir, there the manifest of traced files is extended. */
const tracedRouter: Patch = (config) => {
  const includes = config.outputFileTracingIncludes ?? {}
  const generated = `./${posix.join((config.distDir ?? '.next').split('\\').join('/'), GENERATED_DIRECTORY)}/**/*`
  return { outputFileTracingIncludes: { ...includes, '/*': [...(includes['/*'] ?? []), generated] } }
}

const sharedImages: Patch = (config, { options }) =>
  options.images === undefined ? {} : { images: { ...config.images, customCacheHandler: options.images } }

const routerAfterCompile: Patch = (config, { afterCompile }) => {
  const before = config.compiler?.runAfterProductionCompile
  return {
    compiler: {
      ...config.compiler,
      async runAfterProductionCompile(build) {
        await afterCompile(build)
        await before?.(build)
      },
    },
  }
}

const patches: readonly Patch[] = [
  withoutLegacyNames,
  sharedResponses,
  sharedUseCache,
  noPrivateMemory,
  tracedRouter,
  sharedImages,
  routerAfterCompile,
]

export function applyPatches(config: NextConfig, context: PatchContext): NextConfig {
  return patches.reduce((current, patch) => ({ ...current, ...patch(current, context) }), config)
}
