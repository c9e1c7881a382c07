import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type AddressInfo, type NetConnectOpts } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { aclRules, ACL_USER, asUser, deniedTo } from './acl'

export interface StartRedisOptions {
  /** More arguments for redis-server, e.g. `['--requirepass', 'secret']`. */
  args?: readonly string[]
  /** A fixed port, to start again where a server was stopped. Default: a free one. */
  port?: number
  /** That of a server that was killed. Default: one of its own. */
  directory?: string
  /** False: clients under test may do more than the runtime does, also with `NDC_ACL=1`. */
  acl?: boolean
}

/** One argument of an admin command. */
export type Argument = string | number | Buffer
/** A reply of `command`: bulk and simple strings as text. An error reply rejects instead. */
export type Reply = null | number | string | Reply[]

export interface RedisServer {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** A second way in, on the same server. */
  readonly socketPath: string
  /** The private working directory; gone after `stop`. */
  readonly directory: string
  /** Sends one command over its own connection, with the `--requirepass` of the server, so that nothing here disturbs the client under test. */
  command(...args: [string, ...Argument[]]): Promise<Reply>
  /** Calls per command since the start or the last `resetCommandStats`; subcommands as `client|setname`. */
  commandStats(): Promise<Record<string, number>>
  resetCommandStats(): Promise<void>
  /** Stops the process (SIGKILL: nothing is persisted) and waits for its end. Idempotent. */
  stop(): Promise<void>
  /** Ends the process as `stop` does, and keeps its directory for whoever starts it again there. */
  kill(): Promise<void>
  /** Freezes the process: its sockets stay open and nothing is answered. */
  freeze(): void
  unfreeze(): void
}

const HOST = '127.0.0.1'
/** URLs by port, for proxies that stand in front of a server. */
const urls = new Map<number, string>()

const READY = 'Ready to accept connections'

/** Whether the suite runs against clusters; then what needs one particular connection is skipped, and says so. */
export const ON_CLUSTER = process.env['NDC_TOPOLOGY'] === 'cluster'

/** Starts a private redis-server, or the cluster that stands in for it. */
export async function startRedis(options: StartRedisOptions = {}): Promise<RedisServer> {
  if (!ON_CLUSTER || Object.keys(options).length > 0)
    return startServer({ acl: process.env['NDC_ACL'] === '1', ...options })
  const { startClusterAsServer } = await import('./cluster-as-server.js')
  return startClusterAsServer()
}

/** A private redis-server: no persistence, own directory, own port. */
export async function startServer({
  args = [],
  port,
  directory: given,
  acl = false,
}: StartRedisOptions = {}): Promise<RedisServer> {
  const executable = findExecutable()
  for (let attempt = 1; ; attempt++) {
    const directory = given ?? (await mkdtemp(join(tmpdir(), 'ndc-redis-')))
    const chosenPort = port ?? (await freePort())
    const socketPath = join(directory, 'redis.sock')
    const child = spawn(
      executable,
      ['--bind', HOST, '--port', String(chosenPort), '--unixsocket', socketPath, '--dir', directory].concat(
        ['--save', '', '--appendonly', 'no', '--daemonize', 'no'],
        args,
      ),
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    const output = await untilReady(child)
    const password = args.includes('--requirepass') ? args[args.indexOf('--requirepass') + 1] : undefined
    if (output === undefined) {
      const server = handleOf(child, chosenPort, directory, socketPath, password)
      return acl ? underAcl(server) : server
    }
    await rm(directory, { recursive: true, force: true })
    // Somebody took the port between our look and the start.
    if (/Address already in use/i.test(output) && attempt < 10 && port === undefined) continue
    throw new Error(`redis-server did not start:\n${output}`)
  }
}

/** The same server, for the least-privileged user of docs/security.md; what that user is denied fails the test file. */
async function underAcl(server: RedisServer): Promise<RedisServer> {
  await server.command('ACL', 'SETUSER', ACL_USER, ...aclRules('ndc:*', 'ndc:*:bus'))
  const url = asUser(server.url)
  urls.set(server.port, url)
  return {
    ...server,
    url,
    async stop() {
      const denied = await deniedTo(server.command).catch((): string[] => [])
      urls.delete(server.port)
      await server.stop()
      if (denied.length > 0) throw new Error(`The ACL user was denied: ${denied.join(', ')}`)
    },
  }
}

/** The URL of whatever listens on a port of this machine, with the user that its tests run under. */
export function urlOf(targetPort: number, port = targetPort): string {
  return (urls.get(targetPort) ?? `redis://${HOST}:${targetPort}`).replace(/\d+$/, String(port))
}

function handleOf(
  child: ChildProcess,
  port: number,
  directory: string,
  socketPath: string,
  password: string | undefined,
): RedisServer {
  const pid = child.pid as number
  // Last resort when a test run dies; `stop` is the rule.
  const killAtExit = (): void => void child.kill('SIGKILL')
  process.once('exit', killAtExit)
  async function kill(): Promise<void> {
    process.off('exit', killAtExit)
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
  const command: RedisServer['command'] = (...args) => rawCommand({ path: socketPath }, args, password)
  return {
    url: `redis://${HOST}:${port}`,
    port,
    pid,
    socketPath,
    directory,
    command,
    async commandStats() {
      const info = String(await command('INFO', 'commandstats'))
      const stats: Record<string, number> = {}
      for (const [, name = '', calls] of info.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm))
        stats[name] = Number(calls)
      return stats
    },
    async resetCommandStats() {
      await command('CONFIG', 'RESETSTAT')
    },
    kill,
    async stop() {
      await kill()
      await rm(directory, { recursive: true, force: true })
    },
    freeze: () => void child.kill('SIGSTOP'),
    unfreeze: () => void child.kill('SIGCONT'),
  }
}

/** Resolves with undefined when it accepts connections, with its output when it exited instead. */
export function untilReady(child: ChildProcess, sign = READY): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let output = ''
    const read = (chunk: Buffer): void => {
      output += chunk.toString()
      if (!output.includes(sign)) return
      // Keep the pipes flowing, or the server blocks once they are full.
      child.stdout?.off('data', read).resume()
      child.stderr?.off('data', read).resume()
      child.off('close', exited)
      resolve(undefined)
    }
    const exited = (): void => resolve(output)
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    child.once('error', reject)
    child.once('close', exited)
  })
}

export function findExecutable(): string {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const candidate = join(directory, 'redis-server')
    if (directory !== '' && existsSync(candidate)) return candidate
  }
  throw new Error(
    'redis-server is not on the PATH, and the integration tests need a real one (6.2 or newer). ' +
      'Install it (Debian and Ubuntu: apt-get install redis-server; macOS: brew install redis), or put a valkey-server on the PATH under that name.',
  )
}

export async function freePort(): Promise<number> {
  const probe = createServer()
  probe.listen(0, HOST)
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}

/** One command over a fresh connection. Own RESP code: the tests of the drivers should not lean on a driver. */
export function rawCommand(
  address: NetConnectOpts,
  args: readonly Argument[],
  password?: string,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socket = connect(address)
    let received = Buffer.alloc(0)
    let greeted = password === undefined
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      const parsed = parseReply(received, 0)
      if (parsed === undefined) return
      if (!greeted) {
        greeted = true
        received = received.subarray(parsed.next)
        if (!(parsed.value instanceof Error)) return write(args)
      }
      socket.destroy()
      if (parsed.value instanceof Error) reject(parsed.value)
      else resolve(parsed.value)
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`redis-server closed the connection on ${String(args[0])}`)))
    const write = (words: readonly Argument[]): void => {
      const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)]
      for (const word of words) {
        const bytes = Buffer.isBuffer(word) ? word : Buffer.from(String(word))
        parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'))
      }
      socket.write(Buffer.concat(parts))
    }
    write(password === undefined ? args : ['AUTH', password])
  })
}

type Parsed = { value: Reply | Error; next: number }

function parseReply(bytes: Buffer, start: number): Parsed | undefined {
  const lineEnd = bytes.indexOf('\r\n', start)
  if (lineEnd === -1) return undefined
  const line = bytes.toString('utf8', start + 1, lineEnd)
  const next = lineEnd + 2
  switch (String.fromCharCode(bytes[start] ?? 0)) {
    case '+':
      return { value: line, next }
    case '-':
      return { value: new Error(line), next }
    case ':':
      return { value: Number(line), next }
    case '$': {
      const length = Number(line)
      if (length === -1) return { value: null, next }
      if (bytes.length < next + length + 2) return undefined
      return { value: bytes.toString('utf8', next, next + length), next: next + length + 2 }
    }
    case '*': {
      const items: Reply[] = []
      let at = next
      for (let left = Number(line); left > 0; left--) {
        const item = parseReply(bytes, at)
        if (item === undefined) return undefined
        items.push(item.value instanceof Error ? item.value.message : item.value)
        at = item.next
      }
      return { value: Number(line) === -1 ? null : items, next: at }
    }
    default:
      return { value: new Error(`unexpected reply: ${line}`), next }
  }
}
