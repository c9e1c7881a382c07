import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Answer,
  control,
  type ControlRequest,
  makeStandalone,
  type Origin,
  postAction,
  type PreparedApp,
  revalidateLegacy,
  startOrigin,
  startReplica,
  type StartedReplica,
  until,
  visit,
} from './e2e-tools'
import { type RedisServer, startRedis } from './redis-server'

/** `next start` in the app's own directory, or the standalone server in a directory of its own. */
export type Mode = 'start' | 'standalone'

export interface Replica extends StartedReplica {
  visit(path: string, init?: RequestInit): Promise<Answer>
  /**
   * Sends an invalidation, and waits until Redis has it: Next answers a route handler before its invalidations
   * are done. A replica that has no URL, or whose Redis is away, is not waited for.
   */
  control(request: ControlRequest): Promise<void>
  revalidateTag(tag: string, profile?: string | { expire: number }): Promise<void>
  postAction(path: string, action: string, fields: Readonly<Record<string, string>>): Promise<Answer>
  revalidateLegacy(path: string): Promise<unknown>
}

export interface StartOptions {
  readonly name: string
  readonly app: PreparedApp
  readonly standalone?: string
  /** `REDIS_URL: ''` takes the fleet's Redis away. */
  readonly env?: Readonly<Record<string, string>>
}

/** One Redis, one origin, and whatever is started beside them; `stop` ends and removes all of it. */
export interface Fleet {
  readonly redis: RedisServer
  readonly origin: Origin
  start(options: StartOptions): Promise<Replica>
  /** A fresh directory that any user may read; removed with the fleet. */
  directory(): Promise<string>
  /** A copy of the standalone build in a directory of its own. */
  standalone(app: PreparedApp, options?: { readOnly?: boolean }): Promise<string>
  /** How many entries were written to Redis up to now. */
  writes(): Promise<number>
  /** Resolves once more than `writes` entries were written, and none has been for a moment. */
  settled(writes?: number): Promise<void>
  stop(): Promise<void>
}

/** `NDC_PRESET=l1-pubsub` runs the whole suite with that preset. */
const presetOfRun: Record<string, string> = process.env['NDC_PRESET']
  ? { DISTRIBUTED_CACHE_PRESET: process.env['NDC_PRESET'] }
  : {}

export async function startFleet(): Promise<Fleet> {
  const redis = await startRedis()
  const origin = await startOrigin()
  const replicas = new Set<Replica>()
  const directories: string[] = []

  async function directory(): Promise<string> {
    const made = await mkdtemp(join(tmpdir(), 'ndc-e2e-'))
    directories.push(made)
    await chmod(made, 0o755)
    return made
  }

  /** The clocks of all applications: each invalidation moves one of them. */
  async function clocks(): Promise<string> {
    const states = (await redis.command('KEYS', '*:tags')) as string[]
    return String(await Promise.all(states.map((state) => redis.command('HGET', state, 'clock'))))
  }

  // Only the scripts that write an entry rename anything.
  const writes = async (): Promise<number> => (await redis.commandStats())['rename'] ?? 0

  return {
    redis,
    origin,
    directory,
    async start({ name, app, standalone, env = {} }) {
      const started = await startReplica({
        name,
        app,
        ...(standalone === undefined ? {} : { standalone, unprivileged: true }),
        env: { ORIGIN_URL: origin.url, REDIS_URL: redis.url, ...presetOfRun, ...env },
      })
      const sendControl = async (request: ControlRequest): Promise<void> => {
        const before = env['REDIS_URL'] === '' ? undefined : await clocks().catch(() => undefined)
        await control(started.url, request)
        if (before !== undefined)
          await until(async () => (await clocks()) !== before, {
            what: `the invalidation ${JSON.stringify(request)}`,
            everyMs: 10,
          })
      }
      const replica: Replica = {
        ...started,
        async stop() {
          replicas.delete(replica)
          return started.stop()
        },
        visit: (path, init) => visit(started.url, path, init),
        control: sendControl,
        revalidateTag: (tag, profile) =>
          sendControl({ action: 'revalidateTag', tag, ...(profile === undefined ? {} : { profile }) }),
        postAction: (path, action, fields) => postAction(started.url, path, action, fields),
        revalidateLegacy: (path) => revalidateLegacy(started.url, path),
      }
      replicas.add(replica)
      return replica
    },
    async standalone(app, { readOnly = true } = {}) {
      const target = join(await directory(), 'app')
      await makeStandalone(app, target, { readOnly })
      // Without a directory to write to, it would not be the user's own cache that fails, but its absence.
      if (!readOnly) await makeWritable(target, 0o777)
      return target
    },
    writes,
    async settled(before = -1) {
      let last = -1
      let quiet = 0
      await until(
        async () => {
          const now = await writes()
          quiet = now === last && now > before ? quiet + 1 : 0
          last = now
          return quiet >= 3
        },
        { what: 'the writes to Redis', everyMs: 30 },
      )
    },
    async stop() {
      await Promise.all([...replicas].map((replica) => replica.stop()))
      await origin.stop()
      await redis.stop()
      for (const made of directories) {
        await makeWritable(made, 0o755)
        await rm(made, { recursive: true, force: true })
      }
    },
  }
}

/** Whoever is not root can remove nothing from a read-only directory. */
async function makeWritable(path: string, mode: number): Promise<void> {
  await chmod(path, mode)
  for (const entry of await readdir(path, { withFileTypes: true }))
    if (entry.isDirectory()) await makeWritable(join(path, entry.name), mode)
}
