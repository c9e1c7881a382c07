import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DistributedCacheError } from '../src/errors'
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

/** Loads a module of the Next.js that the application uses; of the one that this package sees, if it has none. */
export function loadFromNext(projectDirectory: string, path: string): unknown {
  try {
    return createRequire(join(projectDirectory, 'package.json'))(`next/${path}`)
  } catch (error) {
    try {
      return require(`next/${path}`)
    } catch {
      throw error
    }
  }
}

/** The version of Next.js that the application uses; undefined when it cannot be found. */
export function findNextVersion(projectDirectory: string): string | undefined {
  try {
    return (loadFromNext(projectDirectory, 'package.json') as { version?: string }).version
  } catch {
    return undefined
  }
}

/** The root that Turbopack and file tracing will use, as Next finds it; undefined when it cannot be told. */
export function inferTracingRoot(projectDirectory: string): string | undefined {
  try {
    const { findRootDirAndLockFiles } = loadFromNext(projectDirectory, 'dist/lib/find-root') as {
      findRootDirAndLockFiles: (directory: string) => { rootDir: string }
    }
    return findRootDirAndLockFiles(projectDirectory).rootDir
  } catch {
    return undefined
  }
}
