import { readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, isAbsolute, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DistributedCacheError } from '../src/errors'
import type { Driver } from '../src/options'
import { isSafeName } from '../src/validate-options'

const CONFIG_FILE = /[\\/]next\.config(?:\.compiled)?\.[cm]?[jt]s$/

/** The directory of the next.config file that is calling: Next does not say it to an object config. */
function callingConfigDirectory(): string | undefined {
  const { prepareStackTrace, stackTraceLimit } = Error
  let files: (string | null | undefined)[] = []
  try {
    Error.stackTraceLimit = 50
    Error.prepareStackTrace = (_error, sites) => sites.map((site) => site.getFileName())
    files = new Error('where am I').stack as unknown as typeof files
  } finally {
    Error.prepareStackTrace = prepareStackTrace
    Error.stackTraceLimit = stackTraceLimit
  }
  const file = files.find((name) => typeof name === 'string' && CONFIG_FILE.test(name))
  return file == null ? undefined : dirname(file.startsWith('file:') ? fileURLToPath(file) : file)
}

/** Where the application is, as well as can be told while its configuration is evaluated. */
export function findProjectDirectory(currentDirectory: string): string {
  return callingConfigDirectory() ?? currentDirectory
}

function readJson(path: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
  } catch {
    return undefined
  }
}

/** The default of `keyPrefix`: `ndc:` and the name in the nearest package.json that has one. */
export function defaultKeyPrefix(projectDirectory: string): string {
  const fix =
    'Set the option keyPrefix, or a name in package.json: it keeps applications apart that share one Redis.'
  for (let directory = projectDirectory; ; directory = dirname(directory)) {
    const name = readJson(join(directory, 'package.json'))?.['name']
    if (typeof name === 'string' && name !== '') {
      const keyPrefix = `ndc:${name}`
      if (isSafeName(keyPrefix)) return keyPrefix
      throw new DistributedCacheError(
        'INVALID_CONFIG',
        `The name in ${join(directory, 'package.json')} (${JSON.stringify(name)}) cannot be part of a Redis key. ${fix}`,
      )
    }
    if (dirname(directory) === directory) break
  }
  throw new DistributedCacheError(
    'INVALID_CONFIG',
    `No package.json with a name in ${projectDirectory} or above it. ${fix}`,
  )
}

/** The version of Next.js that the application uses; undefined when it cannot be found. */
export function findNextVersion(projectDirectory: string): string | undefined {
  for (const from of [join(projectDirectory, 'package.json'), __filename]) {
    try {
      const version = readJson(createRequire(from).resolve('next/package.json'))?.['version']
      if (typeof version === 'string') return version
    } catch {
      // Not installed there: the next place may have it.
    }
  }
  return undefined
}

/** Throws UNSUPPORTED_NEXT outside `>=16.2 <17`; prereleases of 16.2 and later are welcome. */
export function checkNextVersion(version: string | undefined): void {
  if (version === undefined) return
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10))
  if (major === 16 && minor >= 2) return
  throw new DistributedCacheError(
    'UNSUPPORTED_NEXT',
    `Next.js ${version} is not supported: this version needs >=16.2 <17. Run: npm install next@16`,
  )
}

function isInstalled(driver: Driver): boolean {
  try {
    // From here, as the entry of the driver will ask for it.
    require.resolve(driver)
    return true
  } catch {
    return false
  }
}

/** The driver to use: the one asked for, else the one that is installed, `ioredis` first. Undefined: none is. */
export function findDriver(wanted: Driver | undefined): Driver | undefined {
  const drivers: readonly Driver[] = wanted === undefined ? ['ioredis', 'redis'] : [wanted]
  return drivers.find(isInstalled)
}

export function missingDriver(wanted: Driver | undefined): DistributedCacheError {
  const what =
    wanted === undefined
      ? 'No Redis client is installed'
      : `Option "driver" is '${wanted}', which is not installed`
  const fix =
    wanted === 'redis'
      ? '`npm install redis` or `npm install ioredis`'
      : '`npm install ioredis` or `npm install redis`'
  return new DistributedCacheError('MISSING_DRIVER', `${what}. Run ${fix}.`)
}

/** The root that Turbopack and file tracing will use, as Next finds it; undefined when it cannot be told. */
export function inferTracingRoot(projectDirectory: string): string | undefined {
  try {
    const fromProject = createRequire(join(projectDirectory, 'package.json'))
    const { findRootDirAndLockFiles } = fromProject('next/dist/lib/find-root') as {
      findRootDirAndLockFiles: (directory: string) => { rootDir: string }
    }
    return findRootDirAndLockFiles(projectDirectory).rootDir
  } catch {
    return undefined
  }
}

/** Turbopack refuses to load a module from outside its root, with an error that does not say so. */
export function checkInsideRoot(root: string | undefined): void {
  if (root === undefined) return
  const packageDirectory = join(__dirname, '..', '..')
  const path = relative(realPath(root), packageDirectory)
  if (!path.startsWith('..') && !isAbsolute(path)) return
  throw new DistributedCacheError(
    'OUTSIDE_PROJECT_ROOT',
    `This package is installed in ${packageDirectory}, outside the root directory of the build (${root}), from where Next.js cannot load it. Set outputFileTracingRoot in next.config to a directory that contains both, or install the package in the project instead of linking it.`,
  )
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
