// A real Redis that can be killed, frozen, damaged and turned against one user, and that comes back.
import { mkdtemp, rm } from 'node:fs/promises'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startRedis } from '../../scripts/lib/redis.mjs'
import { redisCommand } from '../history/redis-command.mjs'

/** The user of the replicas. The harness is the default user, whom no fault touches. */
export const USER = 'app'
export const PASSWORD = 'right'
/** On the command line, so that no moment exists in which the server runs without its users. */
const USERS = ['--user', USER, 'on', `>${PASSWORD}`, '~*', '&*', '+@all']

/** @param {{ onMoved: (port: number) => void }} options told where it listens after every start */
export async function startFaultyRedis({ onMoved }) {
  const directory = await mkdtemp(join(tmpdir(), 'ndc-faults-redis-'))
  const remove = () => rmSync(directory, { recursive: true, force: true })
  process.once('exit', remove)
  let server
  let send

  const redis = {
    get running() {
      return server !== undefined && !server.hasExited()
    },
    /** As the default user, over a connection of its own. */
    command: (...args) => send(...args.map(String)),
    /** What `save` wrote is there again. */
    async start() {
      server = await startRedis({ directory, args: USERS })
      send = redisCommand(server.port)
      onMoved(server.port)
    },
    save: () => redis.command('SAVE'),
    forget: () => rm(join(directory, 'dump.rdb'), { force: true }),
    async kill() {
      await server?.kill()
    },
    freeze: () => void server.child.kill('SIGSTOP'),
    unfreeze: () => void server.child.kill('SIGCONT'),
    async stop() {
      await redis.kill()
      process.off('exit', remove)
      remove()
    },
  }
  await redis.start()
  return redis
}
