import { realpathSync } from 'node:fs'
import { isAbsolute, join, relative } from 'node:path'
import { DistributedCacheError } from '../src/errors'
import type { Driver } from '../src/options'

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

/** What `peerDependencies` says: many installers only mention it, and every command to Redis would fail. */
const DRIVERS = {
  ioredis: { leastMajor: 5, leastMinor: 4, needs: '>=5.4 <7' },
  redis: { leastMajor: 5, leastMinor: 0, needs: '>=5 <7' },
} as const

function isInstalled(driver: Driver): boolean {
  try {
    // From here, as the entry of the driver will ask for it.
    require.resolve(driver)
    return true
  } catch {
    return false
  }
}

/** The version of an installed driver that this package cannot use; undefined when it can, or cannot tell. */
export function unsupportedVersion(driver: Driver): string | undefined {
  try {
    const { version } = require(`${driver}/package.json`) as { version: string }
    const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10))
    const { leastMajor, leastMinor } = DRIVERS[driver]
    const isOld = major < leastMajor || (major === leastMajor && minor < leastMinor)
    return isOld || major >= 7 ? version : undefined
  } catch {
    return undefined
  }
}

function candidates(wanted: Driver | undefined): readonly Driver[] {
  return wanted === undefined ? ['ioredis', 'redis'] : [wanted]
}

/** The driver to use: the one asked for, else the one that is installed, `ioredis` first. Undefined: none is. */
export function findDriver(wanted: Driver | undefined): Driver | undefined {
  return candidates(wanted).find((driver) => isInstalled(driver) && unsupportedVersion(driver) === undefined)
}

export function missingDriver(wanted: Driver | undefined): DistributedCacheError {
  const found = candidates(wanted).find(isInstalled)
  if (found !== undefined)
    return new DistributedCacheError(
      'UNSUPPORTED_DRIVER',
      `${found} ${unsupportedVersion(found)} is not supported: this version needs ${DRIVERS[found].needs}. Run: npm install ${found}@6`,
    )
  return new DistributedCacheError(
    'MISSING_DRIVER',
    wanted === undefined
      ? 'No Redis client is installed. Run `npm install ioredis` or `npm install redis`.'
      : `Option "driver" is '${wanted}', which is not installed. Run \`npm install ${wanted}\`, or remove the option.`,
  )
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

/**
 * Next.js builds into its routes where the project was as seen from the current directory, and a standalone server, which
 * runs in the project, would look for every cache handler as many directories too high: 500 on every route.
 */
export function checkStandalone(projectDirectory: string, currentDirectory: string): void {
  const project = realPath(projectDirectory)
  if (project === realPath(currentDirectory)) return
  throw new DistributedCacheError(
    'OUTSIDE_PROJECT_ROOT',
    `The build was started in ${currentDirectory}. With output: 'standalone' Next.js would not find any cache handler at run time. Run next build in ${project}, without a directory.`,
  )
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

/** Next takes null for absent as well, whatever its types say. @throws DistributedCacheError INVALID_CONFIG */
export function checkPath(path: unknown, key: string): void {
  if (path == null || typeof path === 'string') return
  throw new DistributedCacheError(
    'INVALID_CONFIG',
    `${key} in the Next.js config is of type ${typeof path}. Write a path, or leave it out.`,
  )
}
