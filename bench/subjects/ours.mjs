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
  // As the router does it: the handlers first, then the driver.
  const decided = inNextTurn(() =>
    createRuntime({
      options,
      backend: 'redis',
      url,
      namespace: 'bench',
      debug: false,
      createClient: require(join(COMPILED, 'runtime', 'clients', `${adapter}.js`)).createClient,
    }),
  )
  const { useCacheHandlers, CacheHandler } = handlersOnce(decided, true)
  return {
    useCache: useCacheHandlers.default,
    CacheHandler,
    close: async () => (await decided).close(),
  }
}
