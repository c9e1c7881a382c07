// A Redis server of our own: installed when it is missing, private, on a free port, keeping nothing.
import { existsSync, rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { freePort, neutralEnv, run, startProcess } from './processes.mjs'

function onPath(program) {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((directory) => join(directory, program))
    .find((file) => existsSync(file))
}

/**
 * Makes sure that redis-server can be started. Installs it where that is possible without asking
 * anybody (Debian or Ubuntu, as root or with passwordless sudo); throws an instruction otherwise.
 *
 * @returns {Promise<string>} path of the executable
 */
export async function ensureRedisServer({ log = console.log } = {}) {
  const installed = onPath('redis-server') ?? onPath('valkey-server')
  if (installed) return installed
  if (onPath('apt-get')) {
    const prefix = process.getuid?.() === 0 ? [] : ['sudo', '-n']
    const env = neutralEnv({ DEBIAN_FRONTEND: 'noninteractive' })
    const asRoot = (...command) => {
      const [program, ...args] = [...prefix, ...command]
      return run(program, args, { env })
    }
    try {
      log('Installing redis-server with apt-get.')
      await asRoot('apt-get', 'update')
      await asRoot('apt-get', 'install', '-y', '--no-install-recommends', 'redis-server')
      // The package starts a service on the standard port. It was not there before and is not wanted.
      const stop =
        onPath('systemctl') && existsSync('/run/systemd/system')
          ? ['systemctl', 'disable', '--now', 'redis-server']
          : ['service', 'redis-server', 'stop']
      await asRoot(...stop).catch(() => {
        // Nothing was running: most containers start no services.
      })
    } catch (error) {
      log(error.message)
    }
    const found = onPath('redis-server')
    if (found) return found
  }
  throw new Error(
    'redis-server is not installed and could not be installed from here. Install it and try again: ' +
      '`sudo apt-get install redis-server` (Debian, Ubuntu), `brew install redis` (macOS), `sudo dnf install valkey` (Fedora).',
  )
}

/**
 * Starts a private server on 127.0.0.1 that writes nothing to the disk unless it is told to.
 *
 * @param {{ args?: string[], port?: number, directory?: string }} [options] `directory`: where it works and finds
 *   what it saved; default: a directory of its own, gone after `stop`
 */
export async function startRedis({ args = [], port, directory: given } = {}) {
  const command = await ensureRedisServer()
  for (let attempt = 1; ; attempt++) {
    const directory = given ?? (await mkdtemp(join(tmpdir(), 'ndc-redis-')))
    const chosenPort = port ?? (await freePort())
    const remove = async () => {
      if (given === undefined) await rm(directory, { recursive: true, force: true })
    }
    if (given === undefined) process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
    try {
      const server = await startProcess({
        name: 'redis-server',
        command,
        args: [
          '--bind',
          '127.0.0.1',
          '--port',
          String(chosenPort),
          '--dir',
          directory,
          '--save',
          '',
          '--appendonly',
          'no',
          ...args,
        ],
        ready: /Ready to accept connections/,
      })
      return {
        ...server,
        port: chosenPort,
        url: `redis://127.0.0.1:${chosenPort}`,
        async stop(signal) {
          await server.stop(signal)
          await remove()
        },
      }
    } catch (error) {
      await remove()
      if (attempt < 5 && port === undefined && /Address already in use/i.test(error.message)) continue
      throw error
    }
  }
}
