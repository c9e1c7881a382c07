// A subject with everything it needs: its own Redis server, a proxy in front of it where there is one, and its process.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startCountingProxy } from '../lib/counting-proxy.mjs'
import { startRedis } from '../../scripts/lib/redis.mjs'
import { neutralEnv } from '../../scripts/lib/processes.mjs'

const { Redis } = createRequire(import.meta.url)('ioredis')
const PROGRAM = fileURLToPath(new URL('worker.mjs', import.meta.url))
const PROFILES = fileURLToPath(new URL('../.cache/profiles', import.meta.url))
/** Every subject may wait this long for Redis, where it has an option for it: 64 bodies of 2 MB at once are no failure. */
const PATIENCE_MS = 20_000
/** Nobody waits for a server that died. */
const ADMIN = { commandTimeout: 60_000, maxRetriesPerRequest: 1 }
/** What a process may be asked for takes seconds; one that hangs is ended, and its rows have failed. */
const LIMIT_MS = 3 * 60_000

/**
 * @param {import('../subjects/catalogue.mjs').Subject} subject
 * @param {{ addedMs?: number, profile?: boolean, processes?: number }} options `addedMs`: to each round trip; undefined: no proxy
 */
export async function startSubject(subject, { addedMs, profile = false, processes = 1 } = {}) {
  const stops = []
  const stop = async () => {
    for (const one of stops.splice(0).reverse()) await one()
  }
  try {
    const redis = await startRedis({ args: subject.redis ?? [] })
    stops.push(() => redis.stop('SIGKILL'))
    const admin = new Redis(redis.url, ADMIN)
    stops.push(() => admin.disconnect())
    const proxy = addedMs === undefined ? undefined : await startCountingProxy(redis.port, addedMs)
    if (proxy) stops.push(() => proxy.stop())
    const settings = { ...subject.settings, url: proxy?.url ?? redis.url, patienceMs: PATIENCE_MS }
    const asks = []
    let boot
    for (let index = 0; index < processes; index++) {
      const { ask, close } = startWorker(profile)
      stops.push(close)
      boot = await ask('open', { module: subject.module, subjectKind: subject.kind, settings })
      asks.push(ask)
    }
    return { subject, ask: asks[0], asks, boot, admin, proxy, stop }
  } catch (error) {
    await stop()
    throw new Error(`${subject.name} does not start: ${error.message}`, { cause: error })
  }
}

function startWorker(profile) {
  const child = fork(PROGRAM, [], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: neutralEnv({ NODE_ENV: 'production' }),
    execArgv: ['--expose-gc', ...(profile ? ['--cpu-prof', '--cpu-prof-dir', join(PROFILES)] : [])],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const pending = new Map()
  let ids = 0
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk) => (output = (output + chunk).slice(-4_000)))
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const ended = once(child, 'exit').then(() => {
    process.removeListener('exit', kill)
    for (const { reject } of pending.values()) reject(new Error(`The process ended:\n${output}`))
    pending.clear()
  })
  child.on('message', ({ id, result, error }) => {
    const waiting = pending.get(id)
    pending.delete(id)
    if (error === undefined) waiting?.resolve(result)
    else waiting?.reject(new Error(error))
  })
  const ask = (type, message = {}) =>
    new Promise((resolve, reject) => {
      const id = ids++
      const timer = setTimeout(() => {
        reject(new Error(`${type} took too long:\n${output}`))
        kill()
      }, LIMIT_MS)
      const settle = (how) => (value) => {
        clearTimeout(timer)
        how(value)
      }
      pending.set(id, { resolve: settle(resolve), reject: settle(reject) })
      child.send({ id, type, ...message }, (error) => {
        if (!error) return
        pending.delete(id)
        settle(reject)(new Error('The process has ended', { cause: error }))
      })
    })
  return {
    ask,
    async close() {
      if (child.connected) void ask('close').catch(() => {})
      const insist = setTimeout(kill, 3_000)
      await ended
      clearTimeout(insist)
    },
  }
}
