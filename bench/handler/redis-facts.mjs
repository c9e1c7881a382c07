// What a Redis server says about itself and holds.

/** Bytes of all keys and values, as they would be dumped: no overhead of the server. */
export async function storedBytes(redis) {
  let total = 0
  let cursor = '0'
  do {
    const [next, keys] = await redis.scan(cursor, 'COUNT', 1000)
    cursor = next
    for (const key of keys) total += Buffer.byteLength(key) + (await valueBytes(redis, key))
  } while (cursor !== '0')
  return total
}

const sum = (values) => values.reduce((total, value) => total + value.length, 0)

async function valueBytes(redis, key) {
  switch (await redis.type(key)) {
    case 'string':
      return redis.strlen(key)
    case 'hash':
      return sum(await redis.callBuffer('HGETALL', key))
    case 'set':
      return sum(await redis.smembersBuffer(key))
    case 'zset':
      return sum(await redis.zrangeBuffer(key, 0, -1))
    case 'list':
      return sum(await redis.lrangeBuffer(key, 0, -1))
    default:
      return 0
  }
}

/** CPU time of the server, in milliseconds. */
export async function cpuMs(redis) {
  const info = await redis.info('cpu')
  const seconds = (name) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1] ?? 0)
  return (seconds('used_cpu_sys') + seconds('used_cpu_user')) * 1000
}

/** How many others are connected. */
export async function connections(redis) {
  const [own, list] = [await redis.client('ID'), await redis.client('LIST')]
  return list.split('\n').filter((line) => line !== '' && !line.startsWith(`id=${own} `)).length
}

const ADD_KEYS = "for i = ARGV[1], ARGV[2] do redis.call('SET', 'foreign:' .. i, 'of somebody else') end"
const KEYS_PER_CALL = 10_000

/** Keys of somebody else in the same database. */
export async function addForeignKeys(redis, count) {
  for (let first = 0; first < count; first += KEYS_PER_CALL)
    await redis.eval(ADD_KEYS, 0, first, Math.min(count, first + KEYS_PER_CALL) - 1)
}
