import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { writeIfChanged } from './router-file'

/** What Next copies into standalone. `symlinks` (16.4): [index of the file, target], sorted by index. */
interface TraceManifest {
  version: number
  files: string[]
  symlinks?: [index: number, target: string, root?: number][]
}

const toPosix = (path: string): string => path.split(sep).join('/')

/** Adds absolute paths to one manifest; the entries it has keep their places, since others refer to them. */
function addToManifest(path: string, files: readonly string[]): void {
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as TraceManifest
  const directory = dirname(path)
  const known = new Set(manifest.files)
  for (const file of files) {
    const entry = toPosix(relative(directory, file))
    if (known.has(entry)) continue
    known.add(entry)
    manifest.files.push(entry)
    // Since 16.4 a link that is not declared as one would be copied as a file.
    if (manifest.symlinks !== undefined && lstatSync(file).isSymbolicLink()) {
      const target = toPosix(relative(directory, resolve(realpathSync(file))))
      manifest.symlinks.push([manifest.files.length - 1, target])
    }
  }
  writeIfChanged(path, JSON.stringify(manifest))
}

/** The manifests of the routes that webpack has written by now; it keeps what they have when it completes them. */
function routeManifests(distDir: string): string[] {
  const server = join(distDir, 'server')
  if (!existsSync(server)) return []
  return readdirSync(server, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js.nft.json'))
    .map((name) => join(server, name))
}

/**
 * Has Next copy these files into standalone. Turbopack has written the server's manifest when it has
 * compiled; webpack writes it later, all anew, but copies what the manifests of the routes name.
 */
export function addToTrace(distDir: string, files: readonly string[]): void {
  const server = join(distDir, 'next-server.js.nft.json')
  const manifests = existsSync(server) ? [server] : routeManifests(distDir)
  for (const manifest of manifests) addToManifest(manifest, files)
}
