// What goes wrong with one server. A fault begins at once and lasts until the function that it returns was called.
import { again } from './again.mjs'
import { PASSWORD, USER } from './faulty-redis.mjs'

/** For what waits for the runtime to notice something by itself. */
const NOTICE_MS = 60_000

/** Every key becomes a list. One script: nothing comes in between. */
const WRONG_TYPE = `
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  redis.call('DEL', key)
  redis.call('RPUSH', key, 'a list')
end
return 1`

/** Every string becomes bytes that mean nothing, and so does what the tag state is made of. */
const GARBAGE = `
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  local kind = redis.call('TYPE', key)['ok']
  if kind == 'string' then
    redis.call('SET', key, 'NDC\\1 garbage \\255', 'KEEPTTL')
  elseif kind == 'hash' then
    redis.call('HSET', key, 'clock', 'garbage', 'floor', '-1', ':content:hot-0', 'garbage')
    redis.call('PUBLISH', string.gsub(key, 'tags$', 'bus'), 'invalidate garbage')
  end
end
return 1`

/**
 * @typedef {object} Fault
 * @property {string} name
 * @property {string} what
 * @property {boolean} [atBoot] the replicas are started after it began
 * @property {(arena: object) => Promise<(() => Promise<unknown>) | Begun>} begin
 *
 * @typedef {object} Begun
 * @property {() => Promise<unknown>} [turn] after the first invalidations, which are what it is about
 * @property {() => Promise<unknown>} end
 * @property {() => Promise<unknown>} [restore] when everything was judged, for whatever follows
 */

/** @type {Fault[]} */
export const FAULTS = [
  {
    name: 'absent',
    what: 'absent at boot',
    atBoot: true,
    async begin({ redis }) {
      await redis.kill()
      return () => redis.start()
    },
  },
  {
    name: 'killed',
    what: 'killed, comes back with a snapshot',
    async begin({ redis }) {
      await redis.save()
      await redis.kill()
      return async () => {
        await redis.start()
        await redis.forget()
      }
    },
  },
  {
    name: 'restarted',
    what: 'restarted empty',
    async begin({ redis }) {
      const restart = async () => {
        await redis.kill()
        await redis.start()
      }
      await restart()
      return restart
    },
  },
  {
    name: 'hung',
    what: 'SIGSTOP',
    async begin({ redis }) {
      redis.freeze()
      return async () => redis.unfreeze()
    },
  },
  { name: 'slow-300', what: '300 ms latency', begin: (arena) => slow(arena, 300) },
  { name: 'slow-3000', what: '3 s latency', begin: (arena) => slow(arena, 3_000) },
  {
    name: 'half-open',
    what: 'half-open sockets',
    async begin({ proxies }) {
      const given = Promise.all(proxies.map((proxy) => proxy.halfOpen('both')))
      return () => within(given, NOTICE_MS)
    },
  },
  {
    name: 'refused',
    what: 'connections refused',
    async begin({ proxies }) {
      for (const proxy of proxies) {
        await proxy.refuse(true)
        proxy.cut('both')
      }
      return () => Promise.all(proxies.map((proxy) => proxy.refuse(false)))
    },
  },
  {
    name: 'read-only',
    what: 'read-only replica of a dead primary',
    async begin({ redis }) {
      // Nobody listens on port 1.
      await redis.command('REPLICAOF', '127.0.0.1', '1')
      return () => redis.command('REPLICAOF', 'NO', 'ONE')
    },
  },
  {
    name: 'full',
    what: 'noeviction at maxmemory',
    async begin({ redis }) {
      await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
      await redis.command('CONFIG', 'SET', 'maxmemory', '1')
      return () => redis.command('CONFIG', 'SET', 'maxmemory', '0')
    },
  },
  {
    name: 'wrong-type',
    what: 'values of the wrong type',
    begin: ({ redis, keyPrefix }) => again(() => redis.command('EVAL', WRONG_TYPE, '0', `${keyPrefix}:*`)),
  },
  {
    name: 'garbage',
    what: 'garbage in values and on the bus',
    begin: ({ redis, keyPrefix }) => again(() => redis.command('EVAL', GARBAGE, '0', `${keyPrefix}:*`)),
  },
  {
    name: 'flushed',
    what: 'FLUSHALL',
    begin: ({ redis }) => again(() => redis.command('FLUSHALL')),
  },
  {
    name: 'client-kill',
    what: 'CLIENT KILL',
    begin: ({ redis }) => again(() => redis.command('CLIENT', 'KILL', 'USER', USER)),
  },
  {
    name: 'deaf',
    what: 'slow subscriber',
    async begin({ proxies }) {
      for (const proxy of proxies) proxy.stall('subscriber', true)
      return async () => {
        for (const proxy of proxies) proxy.stall('subscriber', false)
      }
    },
  },
  {
    name: 'password',
    what: 'wrong password',
    async begin({ redis }) {
      await redis.command('ACL', 'SETUSER', USER, 'resetpass', '>another')
      await redis.command('CLIENT', 'KILL', 'USER', USER)
      return () => redis.command('ACL', 'SETUSER', USER, 'resetpass', `>${PASSWORD}`)
    },
  },
  {
    name: 'denied',
    what: 'rights taken away (ACL)',
    async begin({ redis }) {
      await redis.command('ACL', 'SETUSER', USER, '-@all')
      return () => redis.command('ACL', 'SETUSER', USER, '+@all')
    },
  },
]

async function slow({ proxies }, ms) {
  for (const proxy of proxies) proxy.delay('both', ms)
  return async () => {
    for (const proxy of proxies) proxy.delay('both', 0)
  }
}

async function within(promise, ms) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Half-open sockets were kept for ${ms} ms`)), ms)
  })
  await Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
