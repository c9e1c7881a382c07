import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PEERS } from '../lib/install-peers.mjs'

export async function open({ url }) {
  const folder = join(PEERS, 'node_modules', '@mrjasonroy', 'cache-components-cache-handler')
  const { createCacheHandler } = await import(pathToFileURL(join(folder, 'dist', 'index.js')).href)
  return { useCache: createCacheHandler({ type: 'redis', url }), close() {} }
}
