// The two sides of the comparison: one stock process, and N replicas with this package in front of one
// Redis. Each side has an origin of its own, so that neither sees what the other asked for.
import { readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeStandalone } from '../../scripts/lib/prepare-app.mjs'
import { startOrigin } from '../../scripts/lib/origin.mjs'
import { until } from '../../scripts/lib/processes.mjs'
import { startReplica } from '../../scripts/lib/replicas.mjs'
import { actionIdsOf, draftCookieOf, postJson, submit, visitImage, visitPath } from './observe.mjs'
import { untilQuiet } from './quiescence.mjs'

const probe = fileURLToPath(new URL('probe.cjs', import.meta.url))

/**
 * @param {object} choice
 * @param {string} choice.name
 * @param {import('../../scripts/lib/prepare-app.mjs').PreparedApp} choice.app
 * @param {string} choice.directory where the copies of the build go
 * @param {string[]} choice.servers names
 * @param {Record<string, string>} [choice.env]
 * @param {() => Promise<unknown>} [choice.barrier] see `untilQuiet`
 * @param {(redisHolds: string) => Promise<unknown>} [choice.forget] resets what is shared, before a deployment
 * @param {(directory: string) => Promise<unknown>} [choice.tamper] changes a copy of the build
 */
export async function createSide({ name, app, directory, servers, env = {}, barrier, forget, tamper }) {
  const origin = await startOrigin()
  const running = []
  let turn = 0
  let actionIds
  let draftCookie

  const nextServer = () => running[turn++ % running.length]

  async function stopServers() {
    await Promise.all(running.splice(0).map((server) => server.stop('SIGKILL')))
  }

  const side = {
    name,
    origin,
    /** Deploys the build anew: fresh copies, fresh processes, nothing remembered. */
    async deploy(redisHolds) {
      await stopServers()
      await forget?.(redisHolds)
      await origin.reset()
      for (const serverName of servers) {
        const standalone = await makeStandalone(app, join(directory, serverName))
        await tamper?.(standalone)
        await dateOutput(join(standalone, app.serverDirectory, '.next', 'server'))
        running.push(await startServer(serverName, app, standalone, { ORIGIN_URL: origin.url, ...env }))
      }
      turn = 0
      actionIds = await actionIdsOf(running[0])
      draftCookie = await draftCookieOf(running[0])
      await side.untilQuiet()
    },
    untilQuiet: () =>
      untilQuiet(
        running.map((server) => server.probe),
        barrier ?? (async () => {}),
      ),
    counts: async () => (await origin.counts()).counts,
    visit: (path, as) => visitPath(nextServer(), path, as, draftCookie),
    image: (path) => visitImage(nextServer(), path),
    control: (request) => postJson(nextServer(), '/api/control', request),
    legacy: (path) => postJson(nextServer(), `/api/revalidate?path=${encodeURIComponent(path)}`),
    action: (page, form, fields) => submit(nextServer(), page, actionIds[form], fields),
    output: () => running.map((server) => `--- ${server.name}\n${server.output().slice(-3_000)}`).join('\n'),
    async stop() {
      await stopServers()
      await origin.stop()
    },
  }
  return side
}

/** What a page was when it was copied counts as its age: long enough ago, for both sides, for what lives for seconds. */
const OUTPUT_AGE_SECONDS = 10

/** The copies of the two sides are made at different moments; their pages must not grow old at different steps. */
async function dateOutput(server) {
  const at = Date.now() / 1000 - OUTPUT_AGE_SECONDS
  for (const folder of ['app', 'pages']) {
    const below = join(server, folder)
    for (const entry of await readdir(below, { recursive: true, withFileTypes: true }).catch(() => []))
      if (entry.isFile()) await utimes(join(entry.parentPath ?? entry.path, entry.name), at, at)
  }
}

async function startServer(name, app, standalone, env) {
  let probeUrl
  const server = await startReplica({
    name,
    app,
    standalone,
    env: { ...env, NODE_OPTIONS: `--require=${JSON.stringify(probe)}` },
    onLine: (line) => (probeUrl ??= /probe ready on (\S+)/.exec(line)?.[1]),
  })
  await until(() => probeUrl, { what: `the probe of ${name}` })
  return { ...server, probe: probeUrl }
}
