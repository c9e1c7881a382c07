import type { NextConfig } from 'next'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { DistributedCacheError, ERROR_PREFIX } from '../src/errors'
import type { DistributedCacheOptions, Driver } from '../src/options'
import { resolveOptions } from '../src/resolve-options'
import { validateOptions } from '../src/validate-options'
import { type AnyNextConfig, inSameShape } from './config-shape'
import { applyPatches, type CompiledBuild } from './patches'
import { detectPhase, type Phase, PHASE_VARIABLE } from './phase'
import { handlerFile, type PreviousHandlers, previousHandlers } from './previous-handlers'
import {
  checkNextVersion,
  defaultKeyPrefix,
  findDriver,
  findNextVersion,
  findProjectDirectory,
  inferTracingRoot,
  missingDriver,
} from './project'
import { GENERATED_DIRECTORY, routerText, writeIfChanged } from './router-file'
import { addToTrace } from './trace-manifests'

const ROUTER_VARIABLE = 'NEXT_DISTRIBUTED_CACHE_ROUTER'
/** What Next uses when `cacheMaxMemorySize` is not configured. */
const DEFAULT_MEMORY_BYTES = 50 * 1024 * 1024

/** Everything known about one evaluation of the configuration. */
interface Evaluation {
  readonly config: NextConfig
  readonly options: DistributedCacheOptions
  readonly phase: Phase
  readonly projectDirectory: string
  readonly driver: Driver
  readonly previous: PreviousHandlers
}

/** Turbopack refuses to load a module from outside its root, with an error that does not say so. */
function checkRoot({ config, projectDirectory }: Evaluation): void {
  const configured = config.outputFileTracingRoot ?? config.turbopack?.root
  const root =
    configured === undefined
      ? (process.env['NEXT_PRIVATE_OUTPUT_TRACE_ROOT'] ?? inferTracingRoot(projectDirectory))
      : resolve(configured)
  if (root === undefined) return
  const packageDirectory = join(__dirname, '..', '..')
  const path = relative(root, packageDirectory)
  if (!path.startsWith('..') && !isAbsolute(path)) return
  throw new DistributedCacheError(
    'OUTSIDE_PROJECT_ROOT',
    `This package is installed in ${packageDirectory}, outside the root directory of the build (${root}), from where Next.js cannot load it. Set outputFileTracingRoot in next.config to a directory that contains both, or install the package in the project instead of linking it.`,
  )
}

function generateRouter(evaluation: Evaluation, projectDirectory: string, directory: string): string[] {
  const { config, options, driver, previous } = evaluation
  const fallback = Object.fromEntries(
    Object.entries(previous).map(([kind, path]) => {
      const target = relative(directory, handlerFile(path, projectDirectory)).split('\\').join('/')
      return [kind, target.startsWith('.') ? target : `./${target}`]
    }),
  )
  const router = join(directory, 'router.cjs')
  writeIfChanged(
    router,
    routerText({
      options: resolveOptions(options, {
        driver,
        keyPrefix: options.keyPrefix ?? defaultKeyPrefix(projectDirectory),
        images: config.images?.customCacheHandler ?? false,
      }),
      memoryBytes: config.cacheMaxMemorySize ?? DEFAULT_MEMORY_BYTES,
      imageDiskBytes: config.images?.maximumDiskCacheSize,
      fallback,
    }),
  )
  process.env[ROUTER_VARIABLE] = router
  return [router]
}

async function afterCompile(evaluation: Evaluation, { projectDir, distDir }: CompiledBuild): Promise<void> {
  const files = generateRouter(evaluation, projectDir, join(distDir, GENERATED_DIRECTORY))
  addToTrace(distDir, files)
}

/** What has to be done now, because only now this process is known to evaluate its configuration. */
function prepareProcess(evaluation: Evaluation): void {
  const { config, options, phase, projectDirectory } = evaluation
  const distDir = resolve(projectDirectory, config.distDir ?? '.next')
  if (phase === 'build') {
    process.env[PHASE_VARIABLE] = 'build'
    // Now rather than after compiling, so that a mistake does not cost a build.
    checkRoot(evaluation)
    if (options.keyPrefix === undefined) defaultKeyPrefix(projectDirectory)
  }
  if (phase === 'build' || phase === 'start')
    process.env[ROUTER_VARIABLE] = join(distDir, GENERATED_DIRECTORY, 'router.cjs')
  if (phase === 'dev') {
    checkRoot(evaluation)
    // The dev server empties its directory when it starts, but keeps the cache.
    generateRouter(evaluation, projectDirectory, join(distDir, 'dev', 'cache', GENERATED_DIRECTORY))
  }
}

function wrap(config: NextConfig, options: DistributedCacheOptions, nextPhase: string | undefined): NextConfig {
  const phase = detectPhase(nextPhase, process.env, process.argv)
  if (phase === 'dev' && process.env['DISTRIBUTED_CACHE']?.trim().toLowerCase() !== 'on') return config
  if (config.output === 'export') {
    if (phase === 'build')
      console.info(`${ERROR_PREFIX} output: 'export' makes a static site without a server: there is nothing to share. The config stays as it is.`)
    return config
  }
  const projectDirectory = findProjectDirectory(process.cwd())
  checkNextVersion(findNextVersion(projectDirectory))
  const driver = findDriver(options.driver)
  // A server that starts without its driver runs on the stock handlers, and its entry says so.
  if (driver === undefined && phase !== 'start') throw missingDriver(options.driver)
  const evaluation: Evaluation = {
    config,
    options,
    phase,
    projectDirectory,
    driver: driver ?? options.driver ?? 'ioredis',
    previous: previousHandlers(config, options.fallback),
  }
  prepareProcess(evaluation)
  return applyPatches(config, {
    options,
    driver: evaluation.driver,
    variables: process.env,
    afterCompile: (build) => afterCompile(evaluation, build),
  })
}

export function applyDistributedCache(config: AnyNextConfig, options: unknown): AnyNextConfig {
  const validated = validateOptions(options ?? {})
  return inSameShape(config, (plain, nextPhase) => wrap(plain, validated, nextPhase))
}
