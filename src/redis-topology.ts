import { DistributedCacheError } from './errors'
import { parseRedisUrl, redactUrl, REDIS_URL_RULES, type RedisTarget, splitUrls } from './redis-url'

/** How the servers behind the URL stand to each other. */
export type Topology = 'single' | 'cluster' | 'sentinel'

/** Where Redis is: the URL, or list of URLs, taken apart. */
export type RedisPlace =
  | { readonly topology: 'single'; readonly target: RedisTarget }
  /** Any node tells of all others, which share user, password and TLS. */
  | { readonly topology: 'cluster'; readonly seeds: readonly [RedisTarget, ...RedisTarget[]] }
  | {
      readonly topology: 'sentinel'
      readonly sentinels: readonly RedisTarget[]
      /** Name of the primary, as the sentinels know it. */
      readonly master: string
      /** User, password, database and TLS of the primary; the sentinels tell its host and port. */
      readonly target: RedisTarget
    }

const SENTINEL_PORT = 26_379
const SENTINEL_PARAMETERS = ['master', 'sentineluser', 'sentinelpassword'] as const
const EXAMPLES: Record<Topology, string> = {
  single: 'redis://user:password@host:6379/0',
  cluster: 'redis://user:password@node1:6379,redis://node2:6379',
  sentinel: 'redis://user:password@sentinel1:26379/0?master=mymaster,redis://sentinel2:26379',
}

/**
 * Takes the URLs of a topology apart. What all nodes share (user, password, database, parameters) stands on
 * the first URL; others may repeat it. Throws INVALID_ENVIRONMENT, without secrets.
 * @param source the variable that the text came from, for the error
 */
export function parseRedisPlace(list: string, topology: Topology, source = 'REDIS_URL'): RedisPlace {
  const fail = (what: string, fix: string): never => {
    throw new DistributedCacheError('INVALID_ENVIRONMENT', `${source} ${what}: "${redactUrl(list)}". ${fix}`)
  }
  const urls = splitUrls(list.trim())
  const rules =
    topology === 'sentinel' ? { known: SENTINEL_PARAMETERS, defaultPort: SENTINEL_PORT } : REDIS_URL_RULES
  if (topology === 'single') {
    const [url = ''] = urls
    if (urls.length > 1)
      return fail('has several URLs', 'Set DISTRIBUTED_CACHE_TOPOLOGY to cluster or sentinel, or keep one.')
    return { topology, target: parseRedisUrl(rules, url, source).target }
  }

  const nodes = urls.map((url) => parseRedisUrl(rules, url, source))
  const [first] = nodes as [(typeof nodes)[0], ...typeof nodes]
  const targets = nodes.map(({ target, parameters }, index): RedisTarget => {
    if (target.transport === 'unix')
      return fail('names a unix socket', `A ${topology} needs hosts, as in ${EXAMPLES[topology]}.`)
    if (index > 0 && !repeats(target, parameters, first))
      return fail(
        'has URLs that differ in more than host and port',
        `Write user, password, database, parameters and rediss:// on the first one: ${EXAMPLES[topology]}.`,
      )
    return { ...first.target, host: target.host, port: target.port }
  })
  if (topology === 'cluster') {
    if (first.target.database !== 0)
      return fail('has a database', 'A Redis Cluster has database 0 only: leave the "/N" out.')
    return { topology, seeds: targets as [RedisTarget, ...RedisTarget[]] }
  }

  const { parameters } = first
  const master = parameters.get('master')
  if (master === undefined)
    return fail('does not name the primary', `Add its name among the sentinels: ${EXAMPLES.sentinel}.`)
  const sentinels = targets.map((target): RedisTarget => ({
    ...target,
    username: parameters.get('sentineluser'),
    password: parameters.get('sentinelpassword'),
    database: 0,
  }))
  return { topology, sentinels, master, target: first.target }
}

type Parsed = ReturnType<typeof parseRedisUrl>

function repeats(target: RedisTarget, parameters: Parsed['parameters'], first: Parsed): boolean {
  const same = <T>(mine: T | undefined, its: T): boolean => mine === undefined || mine === its
  return (
    target.transport === first.target.transport &&
    same(target.username, first.target.username) &&
    same(target.password, first.target.password) &&
    (target.database === 0 || target.database === first.target.database) &&
    [...parameters].every(([name, value]) => first.parameters.get(name) === value)
  )
}
