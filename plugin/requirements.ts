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
