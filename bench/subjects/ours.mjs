import { createRequire } from 'node:module'
import { join } from 'node:path'
import { COMPILED } from '../lib/compile.mjs'

const require = createRequire(import.meta.url)
const MiB = 2 ** 20

export async function open({ url, preset, driver, heldBytes = 64 * MiB, patienceMs, compression }) {
  const { resolveOptions } = require(join(COMPILED, 'src', 'resolve-options.js'))
  const { createRuntime } = require(join(COMPILED, 'runtime', 'index.js')).parts['runtime/create-runtime.js']
  const adapter = driver === 'redis' ? 'node-redis' : 'ioredis'
  const { handlersOnce, inNextTurn } = require(join(COMPILED, 'runtime', 'entries', 'host.js')).parts[
    'runtime/entries/later.js'
  ]
  const options = resolveOptions(
    {
      preset,
      driver,
      compression,
      l1: { maxBytes: heldBytes, maxEntryBytes: Math.min(heldBytes, 4 * MiB) },
      timeouts: { commandMs: patienceMs, requestBudgetMs: patienceMs },
    },
    { driver, keyPrefix: 'ndc:bench', images: false },
  )
  let driverCpuMs
  const loadClient = () => {
    const before = process.cpuUsage()
    const { createClient } = require(join(COMPILED, 'runtime', 'clients', `${adapter}.js`))
    const { user, system } = process.cpuUsage(before)
    driverCpuMs = (user + system) / 1000
    return createClient
  }
  // As the router does it: the handlers first, then the driver.
  const decided = inNextTurn(() =>
    createRuntime({
      options,
      backend: 'redis',
      url,
      namespace: 'bench',
      debug: false,
      createClient: loadClient(),
    }),
  )
  const { useCacheHandlers, CacheHandler } = handlersOnce(decided, true)
  await decided
  return {
    driverCpuMs,
    useCache: useCacheHandlers.default,
    CacheHandler,
    close: async () => (await decided).close(),
  }
}
