// Replicas as processes, each behind a proxy of its own, and what is asked of them.
import { fork } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { createRequire } from 'node:module'
import { neutralEnv } from '../../scripts/lib/processes.mjs'
import { ROOT } from './compile.mjs'
import { startLinkProxy } from './link-proxy.mjs'

const PROGRAM = fileURLToPath(new URL('replica.mjs', import.meta.url))
const READY_MS = 30_000
const running = new Set()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** The options of a server whose next.config says no more than this. */
export function optionsOf(dist, chosen) {
  const { resolveOptions } = createRequire(pathToFileURL(dist + '/'))('./src/resolve-options.js')
  return resolveOptions(chosen, { driver: 'ioredis', keyPrefix: 'ndc:history', images: false })
}

/**
 * @param {{ name: string, redisPort: number, dist: string, options: object, sabotage?: string, env?: object,
 *   onGenerate: (message: { unit: string, gen: string, request: number }, replica: object) => Promise<object>,
 *   onDurable: (id: number, at: number) => void, onLost?: (text: string) => void }} config
 */
export async function startReplica(config) {
  const proxy = await startLinkProxy(config.redisPort)
  const pending = new Map()
  let child
  let incarnation = 0
  let output = ''
  let closing = false
  let started = false

  async function boot() {
    incarnation++
    started = false
    const mine = fork(PROGRAM, [], {
      cwd: ROOT,
      // The compiled package lies elsewhere and looks for drivers and Next here.
      env: neutralEnv({ NODE_ENV: 'production', NODE_PATH: join(ROOT, 'node_modules'), ...config.env }),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: [],
    })
    child = mine
    running.add(mine)
    for (const stream of [mine.stdout, mine.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output = (output + text).slice(-20_000)))
    mine.once('exit', () => {
      running.delete(mine)
      for (const [id, { resolve, of }] of pending) {
        if (of !== mine) continue
        pending.delete(id)
        resolve({ lost: true })
      }
    })
    // A write to a process that is gone.
    mine.on('error', () => {})
    const loaded = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${config.name} does not start:\n${output}`)), READY_MS)
      mine.once('exit', (code) => reject(new Error(`${config.name} ended with ${code}:\n${output}`)))
      mine.on('message', (message) => {
        if (message.type === 'loaded') {
          clearTimeout(timer)
          resolve()
        } else receive(mine, message)
      })
    })
    await loaded
    const { dist, options, sabotage } = config
    const name = `${config.name}.${incarnation}`
    const answer = await ask({
      type: 'start',
      id: `start-${name}`,
      name,
      dist,
      options,
      sabotage,
      url: proxy.url,
      namespace: 'build-1',
    })
    if (answer.error || answer.lost) throw new Error(`${name} did not start: ${answer.error}\n${output}`)
    started = true
  }

  function receive(from, { type, ...message }) {
    const at = performance.now()
    if (type === 'done') {
      const waiting = pending.get(message.id)
      pending.delete(message.id)
      waiting?.resolve({ ...message, at })
    } else if (type === 'durable') config.onDurable(message.id, at)
    else if (type === 'generate') {
      void config.onGenerate(message, replica).then((answer) => {
        if (from.connected) from.send({ type: 'generated', gen: message.gen, ...answer })
      })
    }
  }

  /** Resolves with the answer, or `{ lost: true }` when the process ends before. */
  function ask(message) {
    const of = child
    if (!of.connected || (!started && message.type !== 'start')) return Promise.resolve({ lost: true })
    return new Promise((resolve) => {
      pending.set(message.id, { resolve, of })
      of.send(message, (error) => {
        if (error && pending.delete(message.id)) resolve({ lost: true })
      })
    })
  }

  const replica = {
    name: config.name,
    proxy,
    ask,
    get incarnation() {
      return incarnation
    },
    get pid() {
      return child.pid
    },
    output: () => output,
    pause: () => child.kill('SIGSTOP'),
    resume: () => child.kill('SIGCONT'),
    async kill() {
      const gone = exited(child)
      child.kill('SIGKILL')
      await gone
    },
    restart: boot,
    async close() {
      if (closing) return
      closing = true
      child.kill('SIGCONT')
      const gone = exited(child)
      child.kill('SIGKILL')
      await gone
      await proxy.close()
    },
  }
  try {
    await boot()
  } catch (error) {
    await replica.close()
    throw error
  }
  return replica
}

function exited(child) {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => child.once('exit', resolve))
}
