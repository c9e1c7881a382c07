import { parseRedisUrl, REDIS_URL_RULES, type RedisTarget } from '../../src/redis-url'

/** What the URL of a single server says. */
export const targetOf = (url: string, source = 'REDIS_URL'): RedisTarget =>
  parseRedisUrl(REDIS_URL_RULES, url, source).target
