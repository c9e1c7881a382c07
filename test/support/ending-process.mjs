// A server process with our runtime, which ends in the way it is told to. Talks to its parent over IPC.
import { createRequire } from 'node:module'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { join } from 'node:path'

const { dist, url, driver, options, handlers, endDeadlineMs } = JSON.parse(process.argv[2])
const require = createRequire(import.meta.url)
const { getRuntime, parts } = require(join(dist, 'runtime/index.js'))
const { createRuntime } = parts['runtime/create-runtime.js']
const { endWithProcess } = parts['runtime/process-end.js']
const { createClient } = require(
  join(dist, `runtime/clients/${driver === 'redis' ? 'node-redis' : 'ioredis'}.js`),
)

/** Writes pass when it opens. */
let openGate = () => {}
const gate = new Promise((resolve) => (openGate = resolve))
let isGated = false
/** Requests go on after their first entry. */
let goOn = () => {}
const late = new Promise((resolve) => (goOn = resolve))
/** A record, and the script that takes it over. */
const isWrite = ([{ args }]) => args[0] === 'SET' && Buffer.isBuffer(args[2])
function createGatedClient(settings) {
  const client = createClient(settings)
  const { send } = client
  client.send = async (commands, timeoutMs) => {
    if (isGated && isWrite(commands)) {
      process.send('writing')
      await gate
    }
    return send(commands, timeoutMs)
  }
  return client
}

const config = {
  options,
  backend: 'redis',
  url,
  namespace: 'build-1',
  debug: false,
  createClient: createGatedClient,
}
const runtime = endDeadlineMs === undefined ? getRuntime(config) : createRuntime(config, { endDeadlineMs })
if (endDeadlineMs !== undefined) endWithProcess(runtime)
const cache = runtime.useCacheHandlers.default
const entryOf = (content) => ({
  value: new Response(content).body,
  tags: [],
  stale: 300,
  timestamp: performance.timeOrigin + performance.now(),
  expire: 3600,
  revalidate: 900,
})
async function generate(key) {
  await cache.get(key, [])
  await cache.set(key, Promise.resolve(entryOf(`content of ${key}`)))
}

const server = createServer((request, response) => {
  const key = request.url.slice(1)
  generate(key)
    .then(() => late)
    .then(() => generate(`${key} later`))
    .then(() => response.end('done'))
    .catch((error) => response.destroy(error))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')

/** As Next's own (start-server): what is under way is finished, then it exits with its code. */
if (handlers === 'like-next') process.on('SIGTERM', () => server.close(() => process.exit(143)))
// The same, with the few turns of the event loop that closing Next takes.
if (handlers === 'like-next-later') {
  process.on('SIGTERM', () => server.close(() => setTimeout(() => process.exit(143), 50)))
}
// Ends when nothing is left to do.
if (handlers === 'natural') {
  process.once('SIGTERM', () => {
    server.close()
    process.disconnect()
  })
}
// Cleans up and leaves the end to others, if there are any.
if (handlers === 'counting') {
  process.on('SIGTERM', function clean() {
    if (process.listenerCount('SIGTERM') > 1) return
    process.off('SIGTERM', clean)
    process.kill(process.pid, 'SIGTERM')
  })
}

const commands = {
  async generate(key) {
    await generate(key)
  },
  async claim(key) {
    await cache.get(key, [])
  },
  async invalidate(tag) {
    await cache.updateTags([tag])
  },
  async generateGated(key) {
    isGated = true
    await generate(key)
  },
  openGate: () => openGate(),
  goOn: () => goOn(),
  /** The signal comes while the write waits, which goes on after it. */
  async endWhileWriting(key) {
    isGated = true
    generate(key).catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, 50))
    process.kill(process.pid, 'SIGTERM')
    setTimeout(openGate, 300)
  },
}
process.on('message', ([name, ...args]) => {
  commands[name](...args)?.then(
    () => process.connected && process.send(`${name} done`),
    (error) => console.error(error),
  )
})
process.send({ port: server.address().port })
