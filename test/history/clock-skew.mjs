// libfaketime moves every clock of a process, `performance.timeOrigin` too.
import { access, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { neutralEnv, run } from '../../scripts/lib/processes.mjs'

const LIBRARY = 'libfaketime.so.1'

/** Path of libfaketime, installed first where nobody need be asked; undefined when there is none. */
export async function findFaketime(log = console.log) {
  const found = await search()
  if (found !== undefined || process.getuid?.() !== 0) return found
  const env = neutralEnv({ DEBIAN_FRONTEND: 'noninteractive' })
  try {
    log('Installing faketime with apt-get.')
    await run('apt-get', ['install', '-y', '--no-install-recommends', 'faketime'], { env, limitMs: 120_000 })
  } catch {
    await run('apt-get', ['update'], { env, limitMs: 120_000 }).catch(() => {})
    await run('apt-get', ['install', '-y', '--no-install-recommends', 'faketime'], {
      env,
      limitMs: 120_000,
    }).catch((error) => log(error.message))
  }
  return search()
}

async function search() {
  const folders = ['/usr/lib/faketime', '/usr/local/lib/faketime']
  for (const name of await readdir('/usr/lib').catch(() => []))
    folders.push(join('/usr/lib', name, 'faketime'))
  for (const folder of folders) {
    const path = join(folder, LIBRARY)
    const exists = await access(path).then(
      () => true,
      () => false,
    )
    if (exists) return path
  }
  return undefined
}

/** The environment of a process whose clocks are that many minutes off. */
export const skewedEnv = (library, minutes) =>
  minutes === 0 ? {} : { LD_PRELOAD: library, FAKETIME: `${minutes > 0 ? '+' : ''}${minutes}m` }
