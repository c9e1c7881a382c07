// Replicas of the store: `next start` or the standalone server, on 127.0.0.1 and a free port.
import { join } from 'node:path'
import { freePort, neutralEnv, startProcess, until } from './processes.mjs'

/** Nobody: a process of root can write to read-only files, so whoever tests those must not be root. */
const NOBODY = 65534

/**
 * @param {{ name: string, app: import('./prepare-app.mjs').PreparedApp, standalone?: string, port?: number,
 *   env?: Record<string, string>, unprivileged?: boolean, onLine?: (line: string) => void }} options
 *   `standalone`: a directory made by `makeStandalone`; without it, `next start` in the app's own directory
 */
export async function startReplica({ name, app, standalone, port, env = {}, unprivileged = false, onLine }) {
  for (let attempt = 1; ; attempt++) {
    const chosenPort = port ?? (await freePort())
    const url = `http://127.0.0.1:${chosenPort}`
    const server = standalone
      ? { cwd: join(standalone, app.serverDirectory), args: ['server.js'] }
      : {
          cwd: app.directory,
          args: [app.nextBin, 'start', '--hostname', '127.0.0.1', '--port', String(chosenPort)],
        }
    try {
      const started = await startProcess({
        name: `replica ${name}`,
        command: process.execPath,
        ...server,
        env: neutralEnv({
          NODE_ENV: 'production',
          PORT: String(chosenPort),
          HOSTNAME: '127.0.0.1',
          REPLICA: name,
          ...env,
        }),
        ready: /Ready in/,
        onLine,
        ...(unprivileged && process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}),
      })
      const replica = { ...started, name, url, port: chosenPort }
      await untilAnswering(replica)
      return replica
    } catch (error) {
      if (attempt < 5 && port === undefined && /EADDRINUSE/.test(error.message)) continue
      throw error
    }
  }
}

/** The name proves that it is this replica that answers on the port, not a stranger. */
async function untilAnswering({ name, url, hasExited, output, kill }) {
  try {
    await until(
      async () => {
        if (hasExited()) return true
        const response = await fetch(`${url}/api/replica`)
        return (await response.json()).replica === name
      },
      { what: `replica ${name} to answer` },
    )
    if (hasExited()) throw new Error(`replica ${name} ended:\n${output().slice(-4_000)}`)
  } catch (error) {
    await kill()
    throw error
  }
}

/** Several at once; `options(name)` gives each its own. When one fails to start, none is left running. */
export async function startReplicas(names, options) {
  const results = await Promise.allSettled(names.map((name) => startReplica({ name, ...options(name) })))
  const replicas = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const failed = results.find((result) => result.status === 'rejected')
  if (!failed) return replicas
  await Promise.all(replicas.map((replica) => replica.stop()))
  throw failed.reason
}
