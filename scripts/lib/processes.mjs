// Child processes that never outlive us: each is known by its pid, is stopped when asked, and is killed
// when this process ends for whatever reason it can still notice.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'

const running = new Set()
const OUTPUT_LIMIT = 200_000

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/**
 * The environment for a child that must not notice who started it: a test runner's NODE_ENV, npm's own
 * variables of an outer `npm run`, a folder of modules, or a Redis URL of the developer's shell would change what it does.
 */
export function neutralEnv(extra = {}) {
  const own =
    /^(NODE_ENV|NODE_OPTIONS|NODE_PATH|NODE_CHANNEL.*|VITEST.*|REDIS_URL|DISTRIBUTED_CACHE.*|STORE_.*|ORIGIN_URL|REPLICA|PORT|HOSTNAME)$/
  const npm =
    /^(INIT_CWD|npm_(package|lifecycle|command|node_execpath|config_(local_prefix|prefix|global_prefix|argv)).*)$/
  const next = /^(NEXT_|__NEXT_)/
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !own.test(name) && !npm.test(name) && !next.test(name)),
  )
  return { ...env, NEXT_TELEMETRY_DISABLED: '1', ...extra }
}

/**
 * Starts a program and, when `ready` is given, waits until a line of its output matches it.
 *
 * @param {{ name: string, command: string, args?: string[], argv0?: string, cwd?: string, env?: Record<string, string>,
 *   ready?: RegExp, readyMs?: number, uid?: number, gid?: number, onLine?: (line: string) => void }} options
 */
export async function startProcess({
  name,
  command,
  args = [],
  cwd,
  env,
  ready,
  readyMs = 60_000,
  uid,
  gid,
  onLine,
}) {
  const child = spawn(command, args, {
    cwd,
    env: env ?? neutralEnv(),
    uid,
    gid,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let output = ''
  let failure
  const exited = new Promise((resolve) => {
    child.once('error', (error) => {
      failure = error
      running.delete(child)
      resolve({ code: null, signal: null })
    })
    // 'close', not 'exit': the output is complete by then.
    child.once('close', (code, signal) => {
      running.delete(child)
      resolve({ code, signal })
    })
  })

  const handle = {
    name,
    pid: child.pid,
    child,
    exited,
    output: () => output,
    hasExited: () => child.exitCode !== null || child.signalCode !== null || failure !== undefined,
    /** Asks politely, then insists. Idempotent. */
    async stop(signal = 'SIGTERM', graceMs = 5_000) {
      if (!handle.hasExited()) {
        child.kill(signal)
        const insist = setTimeout(() => child.kill('SIGKILL'), graceMs)
        await exited
        clearTimeout(insist)
      }
      return exited
    },
    kill: () => handle.stop('SIGKILL'),
  }

  let match
  const matched = new Promise((resolve) => {
    let rest = ''
    const take = (chunk) => {
      output = (output + chunk).slice(-OUTPUT_LIMIT)
      const lines = (rest + chunk).split('\n')
      rest = lines.pop()
      for (const line of lines) {
        onLine?.(line)
        match ??= ready?.exec(line)
        if (match) resolve()
      }
    }
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', take)
  })

  if (ready) {
    let timer
    const late = new Promise((resolve) => (timer = setTimeout(resolve, readyMs)))
    await Promise.race([matched, exited, late])
    clearTimeout(timer)
    if (!match) {
      const why = failure?.message ?? (handle.hasExited() ? 'ended' : `was not ready after ${readyMs} ms`)
      await handle.kill()
      throw new Error(`${name} ${why}:\n${output.slice(-4_000)}`)
    }
  }
  return { ...handle, match }
}

/** Runs a program to its end; throws with its output when it fails. */
export async function run(command, args, { name = command, cwd, env, limitMs = 10 * 60_000 } = {}) {
  const child = await startProcess({ name, command, args, cwd, env })
  const timer = setTimeout(() => void child.kill(), limitMs)
  const { code } = await child.exited
  clearTimeout(timer)
  if (code !== 0)
    throw new Error(
      `${name} ${args.join(' ')} failed (${code ?? 'no exit code'}):\n${child.output().slice(-8_000)}`,
    )
  return child.output()
}

/** npm as it runs us, else the one on PATH. */
export function npm(args, options) {
  const script = process.env.npm_execpath
  return script?.endsWith('npm-cli.js')
    ? run(process.execPath, [script, ...args], { name: 'npm', ...options })
    : run('npm', args, options)
}

/** On Ctrl-C or a polite kill, runs `cleanUp` once and ends. For programs, not for libraries or tests. */
export function onInterrupt(cleanUp) {
  let stopping = false
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ]) {
    process.on(signal, async () => {
      if (stopping) return
      stopping = true
      try {
        await cleanUp()
      } finally {
        process.exit(code)
      }
    })
  }
}

/**
 * A port nobody listens on, from below the range the kernel hands out for outgoing connections: one
 * from that range may be taken again before the server binds it.
 */
export async function freePort() {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    const probe = createServer()
    const free = await new Promise((resolve) => {
      probe.once('error', () => resolve(false))
      probe.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!free) continue
    probe.close()
    await once(probe, 'close')
    return port
  }
  throw new Error('No free port between 20000 and 32000')
}

/** Polls until `probe` returns something truthy, and returns that. An error counts as "not yet". */
export async function until(probe, { what = 'the condition', limitMs = 20_000, everyMs = 50 } = {}) {
  const deadline = performance.now() + limitMs
  let last
  for (;;) {
    try {
      const value = await probe()
      if (value) return value
    } catch (error) {
      last = error
    }
    if (performance.now() > deadline)
      throw new Error(`Waited ${limitMs} ms in vain for ${what}`, { cause: last })
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}
