import { createRequire } from 'node:module'
import { join } from 'node:path'
import { PEERS } from '../lib/install-peers.mjs'

const require = createRequire(join(PEERS, 'package.json'))

export async function open({ url, patienceMs }) {
  const name = '@leejpsd/nextjs-cache-handler'
  const { createCacheComponentsHandler } = require(`${name}/cache-components`)
  const { createIncrementalCacheHandler } = require(`${name}/incremental`)
  // As its README wires it, with what it recommends for a fleet.
  const options = { client: { type: 'redis', url }, buildNamespace: 'bench', abortTimeoutMs: patienceMs }
  return {
    useCache: createCacheComponentsHandler({ ...options, singleFlight: true, tagPubSub: true }),
    CacheHandler: createIncrementalCacheHandler(options),
    close() {},
  }
}
