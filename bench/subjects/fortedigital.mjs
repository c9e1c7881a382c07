import { createRequire } from 'node:module'
import { join } from 'node:path'
import { PEERS } from '../lib/install-peers.mjs'

const require = createRequire(join(PEERS, 'package.json'))

export async function open({ url, patienceMs }) {
  const name = '@fortedigital/nextjs-cache-handler'
  const { CacheHandler } = require(name)
  const { default: createRedisHandler } = require(`${name}/redis-strings`)
  const { createClient } = require('redis')
  const client = createClient({ url })
  client.on('error', () => {})
  await client.connect()
  CacheHandler.onCreation(() => ({
    handlers: [createRedisHandler({ client, keyPrefix: 'bench:', timeoutMs: patienceMs })],
  }))
  return { CacheHandler, close: () => client.destroy() }
}
