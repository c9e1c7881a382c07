// The limit: one GET or SET of the same bytes, as a Buffer, with nothing around it. It checks nothing, decodes
// nothing and knows no tags.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

export async function open(settings) {
  const { get, set, close } = await openDriver(settings)
  return { bare: { get, set }, close }
}

/** The commands that a limit needs, through the driver's own methods. */
export function openDriver({ url, driver }) {
  return driver === 'redis' ? openNodeRedis(url) : openIoredis(url)
}

function openIoredis(url) {
  const { Redis } = require('ioredis')
  const redis = new Redis(url)
  return {
    get: (key) => redis.getBuffer(key),
    set: (key, bytes) => redis.set(key, bytes, 'PX', 3_600_000),
    fields: (key, names) => redis.hmget(key, names),
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
    fields: (key, names) => client.hmGet(key, names),
    close: () => client.destroy(),
  }
}
