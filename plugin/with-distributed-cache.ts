import type { NextConfig } from 'next'
import { join, resolve } from 'node:path'
import { ERROR_PREFIX } from '../src/errors'
import type { DistributedCacheOptions, Driver } from '../src/options'
import { resolveOptions } from '../src/resolve-options'
import { validateOptions } from '../src/validate-options'
import { DEFAULT_MEMORY_BYTES, GENERATED_DIRECTORY, ROUTER_FILE, ROUTER_VARIABLE } from '../src/wiring'
import { type AnyNextConfig, inSameShape } from './config-shape'
import type * as Generator from './generate-router'
import type { RouterPlan } from './generate-router'
import { applyPatches, type CompiledBuild } from './patches'
import { detectPhase, type Phase, PHASE_VARIABLE } from './phase'
import {
  type LegacyExperimental,
  locateHandlers,
  type PreviousHandlers,
  previousHandlers,
} from './previous-handlers'
import { defaultKeyPrefix, findNextVersion, findProjectDirectory, inferTracingRoot } from './project'
import {
  checkInsideRoot,
  checkNextVersion,
  checkPath,
  checkStandalone,
  findDriver,
  missingDriver,
} from './requirements'

/** Tells the processes of a build when its first one began [ms]. */
const STARTED_VARIABLE = 'NEXT_DISTRIBUTED_CACHE_BUILD_STARTED'

/** Everything known about one evaluation of the configuration. */
interface Evaluation {
  readonly config: NextConfig
  readonly options: DistributedCacheOptions
  readonly phase: Phase
  readonly projectDirectory: string
  readonly driver: Driver
  readonly previous: PreviousHandlers
}

/** The directory that Turbopack and file tracing take for the whole; undefined when it cannot be told. */
function tracingRoot(config: NextConfig, projectDirectory: string): string | undefined {
  const legacy = config.experimental as LegacyExperimental | undefined
  const configured = legacy?.outputFileTracingRoot ?? config.outputFileTracingRoot ?? config.turbopack?.root
  if (configured != null) return resolve(configured)
  return process.env['NEXT_PRIVATE_OUTPUT_TRACE_ROOT'] ?? inferTracingRoot(projectDirectory)
}

function routerPlan(evaluation: Evaluation, projectDirectory: string, directory: string): RouterPlan {
  const { config, options, driver, previous } = evaluation
  return {
    options: resolveOptions(options, {
      driver,
      keyPrefix: options.keyPrefix ?? defaultKeyPrefix(projectDirectory),
      images: config.images?.customCacheHandler ?? false,
    }),
    memoryBytes: config.cacheMaxMemorySize ?? DEFAULT_MEMORY_BYTES,
    imageDiskBytes: config.images?.maximumDiskCacheSize,
    imagesInHandler: config.images?.customCacheHandler ?? false,
    previous: locateHandlers(previous, projectDirectory),
    projectDirectory,
    directory,
  }
}

/** Loads the generator and its compilers, which a server never needs. */
function loadGenerator(): typeof Generator {
  return require('./generate-router') as typeof Generator
}

function setRouter(directory: string): void {
  process.env[ROUTER_VARIABLE] = join(directory, ROUTER_FILE)
}

/** Earlier than anything that the build may have read; too early only costs a refresh. */
function buildStartedAt(): number {
  process.env[STARTED_VARIABLE] ??= String(Math.floor(performance.timeOrigin))
  return Number(process.env[STARTED_VARIABLE])
}

async function afterCompile(evaluation: Evaluation, { projectDir, distDir }: CompiledBuild): Promise<void> {
  // Only here: Next alone knows for certain where the project is.
  if (evaluation.config.output === 'standalone') checkStandalone(projectDir, process.cwd())
  const directory = join(distDir, GENERATED_DIRECTORY)
  const plan = routerPlan(evaluation, projectDir, directory)
  const root = tracingRoot(evaluation.config, projectDir) ?? projectDir
  await loadGenerator().generateRouterForBuild(plan, distDir, root, buildStartedAt())
  setRouter(directory)
}

/** What cannot wait for a hook, in a process that is known to build, start or develop the application. */
function prepareProcess(evaluation: Evaluation): void {
  const { config, phase, projectDirectory } = evaluation
  checkPath(config.distDir, 'distDir')
  // Joined, as Next does it: to an absolute distDir as well.
  const distDir = join(projectDirectory, config.distDir ?? '.next')
  // A dev server empties its directory when it starts, wherever that is, but keeps the cache.
  const directory = join(distDir, phase === 'dev' ? 'cache' : '', GENERATED_DIRECTORY)
  if (phase === 'unknown') return
  if (phase === 'build' || phase === 'dev') {
    if (phase === 'build') buildStartedAt()
    checkInsideRoot(tracingRoot(config, projectDirectory))
    // Now rather than after compiling, so that a mistake does not cost a build.
    const plan = routerPlan(evaluation, projectDirectory, directory)
    // A build empties the directory next, and runs the hook after compiling.
    if (phase === 'dev') loadGenerator().generateRouter(plan)
    else process.env[PHASE_VARIABLE] = 'build'
  }
  setRouter(directory)
}

/** Once per build, whose worker processes evaluate the configuration again. */
function noteStaticExport(phase: Phase): void {
  if (phase !== 'build' || process.env[PHASE_VARIABLE] === 'build') return
  process.env[PHASE_VARIABLE] = 'build'
  console.info(
    `${ERROR_PREFIX} output: 'export' makes a site without a server, so there is nothing to share. The config stays as it is: remove withDistributedCache, or the output.`,
  )
}

function wrap(
  config: NextConfig,
  options: DistributedCacheOptions,
  nextPhase: string | undefined,
  projectDirectory: string,
): NextConfig {
  const phase = detectPhase(nextPhase, process.env, process.argv)
  if (phase === 'dev' && process.env['DISTRIBUTED_CACHE']?.trim().toLowerCase() !== 'on') return config
  if (config.output === 'export') {
    noteStaticExport(phase)
    return config
  }
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
  // Now: when Next calls a config that is a function, or a promise of one is kept, its file is no longer on the stack.
  const projectDirectory = findProjectDirectory(process.cwd())
  return inSameShape(config, (plain, nextPhase) => wrap(plain, validated, nextPhase, projectDirectory))
}
