import { join, sep } from 'node:path'
import type { Driver } from '../src/options'

const ENTRIES = join(__dirname, '..', 'runtime', 'entries')

/** The paths put in the configuration. By path only: nothing of the runtime is loaded where the config is evaluated. */
export function entryPaths(driver: Driver) {
  return {
    cacheHandler: join(ENTRIES, `cache-handler-${driver}.js`),
    useCacheDefault: join(ENTRIES, `use-cache-default-${driver}.js`),
    useCacheRemote: join(ENTRIES, `use-cache-remote-${driver}.js`),
  }
}

/** True for a handler that the wrapper has set, in whichever copy of this package. */
export function isOwnEntry(path: string | null | undefined): boolean {
  if (path == null) return false
  const normal = path.split('\\').join('/')
  return path.startsWith(ENTRIES + sep) || /\/next-distributed-cache\/dist\/runtime\/entries\//.test(normal)
}
