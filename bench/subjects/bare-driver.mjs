// The limit: one GET or SET of the same bytes, as a Buffer, with nothing around it. It checks nothing, decodes
// nothing and knows no tags.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

export async function open({ url, driver }) {
  const { get, set, close } = driver === 'redis' ? await openNodeRedis(url) : openIoredis(url)
  return { bare: { get, set }, close }
}

function openIoredis(url) {
  const { Redis } = require('ioredis')
  const redis = new Redis(url)
  return {
    get: (key) => redis.getBuffer(key),
    set: (key, bytes) => redis.set(key, bytes, 'PX', 3_600_000),
    close: () => redis.disconnect(),
  }
}

async function openNodeRedis(url) {
  const { createClient, RESP_TYPES } = require('redis')
  const client = createClient({ url })
  // Without a listener an error of the connection ends the process; the measurement fails anyway.
  client.on('error', () => {})
  await client.connect()
  const buffers = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
  return {
    get: (key) => buffers.get(key),
    set: (key, bytes) => client.set(key, bytes, { expiration: { type: 'PX', value: 3_600_000 } }),
    close: () => client.destroy(),
  }
}
