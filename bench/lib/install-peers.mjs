// The packages that are compared with, installed from their lock files when they are not there yet.
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { neutralEnv, npm } from '../../scripts/lib/processes.mjs'

export const PEERS = fileURLToPath(new URL('../peers', import.meta.url))
/** One of them wants a driver of its own. */
export const FOLDERS = [PEERS, join(PEERS, 'turbo')]

export async function installPeers(log) {
  for (const folder of FOLDERS) {
    if (await isCurrent(folder)) continue
    log('Installing what is compared with (npm ci)')
    await npm(['ci', '--prefer-offline', '--loglevel=error'], { cwd: folder, env: neutralEnv() })
  }
}

/** npm notes what it installed; an older note than the lock file is of another installation. */
async function isCurrent(folder) {
  const [note, lock] = await Promise.all(
    ['node_modules/.package-lock.json', 'package-lock.json'].map((file) =>
      stat(join(folder, file)).catch(() => undefined),
    ),
  )
  return note !== undefined && note.mtimeMs >= lock.mtimeMs
}

/** Name and version of each, as the lock files say. */
export async function peerVersions() {
  const versions = {}
  for (const folder of FOLDERS) {
    const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
    Object.assign(versions, manifest.dependencies)
  }
  return versions
}
