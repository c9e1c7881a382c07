import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ACL_USER, aclRules, deniedTo, sentinelRules, sentinelServerRules, userArguments } from './acl'
import { until } from './redis-cluster'
import {
  findExecutable,
  freePort,
  rawCommand,
  type RedisServer,
  type Reply,
  startServer,
  untilReady,
} from './redis-server'

const HOST = '127.0.0.1'
export const MASTER = 'mymaster'

export interface SentinelOptions {
  /** Password of the Redis servers. */
  readonly password?: string
  /** Password of the sentinels. */
  readonly sentinelPassword?: string
  /** Clients under test use the users of docs/security.md; what they are denied fails `stop`. */
  readonly acl?: boolean
}

export interface SentinelFleet {
  /** The sentinels, as a list, without passwords. */
  readonly url: string
  readonly servers: readonly RedisServer[]
  /** The primary that the sentinels agree on; undefined while they do not. */
  primary(): Promise<RedisServer | undefined>
  /** Waits until each of them knows of so many replicas that can be promoted; default 1. */
  settled(atLeast?: number): Promise<void>
  /** Starts a server again that was killed, as a replica of the present primary. Resolves when all is whole. */
  revive(server: RedisServer): Promise<void>
  /** Asks one of them. */
  ask(sentinel: number, ...args: [string, ...string[]]): Promise<Reply>
  stopSentinel(sentinel: number): Promise<void>
  stop(): Promise<void>
}

/** A primary, two replicas and three sentinels, two of which have to agree. */
export async function startSentinels({
  password,
  sentinelPassword,
  acl = false,
}: SentinelOptions = {}): Promise<SentinelFleet> {
  const servers: RedisServer[] = []
  const sentinels: { port: number; stop(): Promise<void> }[] = []
  const secret = password === undefined ? [] : ['--requirepass', password, '--masterauth', password]
  const user = acl ? userArguments([...aclRules('ndc:*', 'ndc:*:bus'), ...sentinelServerRules()]) : []
  const quick = ['--repl-diskless-sync-delay', '0', ...user]
  async function stop(): Promise<void> {
    const asked = [
      ...servers.map((server) => server.command),
      ...sentinels.map(
        ({ port }) =>
          (...args: [string, ...string[]]) =>
            authenticated(sentinelPassword, port, args),
      ),
    ]
    const denied = await Promise.all(asked.map((command) => deniedTo(command).catch(() => [])))
    await Promise.all([...sentinels, ...servers].map((process) => process.stop()))
    if (denied.flat().length > 0) throw new Error(`The ACL user was denied: ${denied.flat().join(', ')}`)
  }
  const authenticated = (secretOf: string | undefined, port: number, args: [string, ...string[]]) =>
    rawCommand({ host: HOST, port }, args, secretOf)
  const replicasOnline = async (port: number): Promise<number> => {
    const info = String(await authenticated(password, port, ['INFO', 'replication']))
    return info.split('state=online').length - 1
  }
  try {
    const primary = await startServer({ args: [...secret, ...quick] })
    servers.push(primary)
    const following = [...secret, ...quick, '--replicaof', HOST, String(primary.port)]
    for (let count = 0; count < 2; count++) servers.push(await startServer({ args: following }))
    await until(async () => (await replicasOnline(primary.port)) === 2)
    for (let count = 0; count < 3; count++)
      sentinels.push(await startSentinel(primary.port, password, sentinelPassword, acl))
    // Each has to know both replicas and the other two, or none of them can lead a failover.
    for (const { port } of sentinels) {
      await until(async () => {
        const state = await authenticated(sentinelPassword, port, ['SENTINEL', 'MASTER', MASTER])
        return ['num-slaves', 'num-other-sentinels'].every((name) => fieldOf(state, name) === '2')
      })
    }
  } catch (error) {
    await stop()
    throw error
  }
  const living = new Set(sentinels)
  return {
    url: sentinels.map(({ port }) => `redis://${HOST}:${port}`).join(','),
    servers,
    ask: (sentinel, ...args) =>
      authenticated(sentinelPassword, (sentinels[sentinel] as { port: number }).port, args),
    primary: agreed,
    settled,
    async revive(server) {
      const { port, directory } = server
      const primary = await agreed()
      const args = [...secret, ...quick, '--replicaof', HOST, String(primary?.port)]
      servers.splice(servers.indexOf(server), 1, await startServer({ args, port, directory }))
      await settled(2)
    },
    async stopSentinel(index) {
      const sentinel = sentinels[index] as (typeof sentinels)[0]
      living.delete(sentinel)
      await sentinel.stop()
    },
    stop,
  }

  async function agreed(): Promise<RedisServer | undefined> {
    const named = await Promise.all(
      [...living].map(({ port }) =>
        authenticated(sentinelPassword, port, ['SENTINEL', 'get-master-addr-by-name', MASTER]),
      ),
    )
    const ports = new Set(named.map((address) => Number((address as string[])[1])))
    return ports.size === 1 ? servers.find(({ port }) => ports.has(port)) : undefined
  }

  async function settled(atLeast = 1): Promise<void> {
    for (const { port } of living) {
      await until(async () => {
        const args: [string, ...string[]] = ['SENTINEL', 'REPLICAS', MASTER]
        const replicas = (await authenticated(sentinelPassword, port, args)) as Reply[]
        const usable = replicas.filter((replica) => {
          return fieldOf(replica, 'flags') === 'slave' && fieldOf(replica, 'master-link-status') === 'ok'
        })
        return usable.length >= atLeast
      })
    }
  }
}

function fieldOf(reply: Reply | undefined, name: string): unknown {
  const fields = reply as unknown[]
  return fields[fields.indexOf(name) + 1]
}

async function startSentinel(
  primaryPort: number,
  password: string | undefined,
  sentinelPassword: string | undefined,
  acl: boolean,
): Promise<{ port: number; stop(): Promise<void> }> {
  for (let attempt = 1; ; attempt++) {
    const directory = await mkdtemp(join(tmpdir(), 'ndc-sentinel-'))
    const port = await freePort()
    const lines = [
      `port ${port}`,
      `bind ${HOST}`,
      `dir ${directory}`,
      `sentinel monitor ${MASTER} ${HOST} ${primaryPort} 2`,
      `sentinel down-after-milliseconds ${MASTER} 2000`,
      `sentinel failover-timeout ${MASTER} 3000`,
      ...(password === undefined ? [] : [`sentinel auth-pass ${MASTER} ${password}`]),
      ...(sentinelPassword === undefined
        ? []
        : [`requirepass ${sentinelPassword}`, `sentinel sentinel-pass ${sentinelPassword}`]),
      ...(acl ? [`user ${ACL_USER} ${sentinelRules().join(' ')}`] : []),
    ]
    const config = join(directory, 'sentinel.conf')
    await writeFile(config, `${lines.join('\n')}\n`)
    const child = spawn(findExecutable(), [config, '--sentinel'], { stdio: ['ignore', 'pipe', 'pipe'] })
    const output = await untilReady(child, '+monitor master')
    if (output === undefined) return handleOf(child, port, directory)
    await rm(directory, { recursive: true, force: true })
    if (!/Address already in use/i.test(output) || attempt === 10)
      throw new Error(`the sentinel did not start:\n${output}`)
  }
}

function handleOf(child: ChildProcess, port: number, directory: string) {
  const killAtExit = (): void => void child.kill('SIGKILL')
  process.once('exit', killAtExit)
  return {
    port,
    async stop() {
      process.off('exit', killAtExit)
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit')
        child.kill('SIGKILL')
        await exited
      }
      await rm(directory, { recursive: true, force: true })
    },
  }
}
