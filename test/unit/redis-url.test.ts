import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DistributedCacheError } from '../../src/errors'
import { redactUrl } from '../../src/redis-url'
import { targetOf } from '../support/redis-target'

const tcp = { transport: 'tcp', host: 'cache', port: 6379, path: '', database: 0 }

function failure(url: string, source?: string): DistributedCacheError {
  try {
    targetOf(url, source)
  } catch (error) {
    expect(error).toBeInstanceOf(DistributedCacheError)
    expect(error).toMatchObject({ code: 'INVALID_ENVIRONMENT' })
    return error as DistributedCacheError
  }
  throw new Error(`accepted: ${url}`)
}

describe('parseRedisUrl', () => {
  it.each([
    ['redis://cache', tcp],
    ['  redis://cache/\n', tcp],
    ['REDIS://cache:6380', { ...tcp, port: 6380 }],
    ['rediss://cache', { ...tcp, transport: 'tls' }],
    ['redis://cache/3', { ...tcp, database: 3 }],
    ['redis://cache?family=0', tcp],
    ['redis://[::1]:6380', { ...tcp, host: '::1', port: 6380 }],
    ['redis://:secret@cache', { ...tcp, password: 'secret' }],
    ['redis://me@cache', { ...tcp, username: 'me' }],
    [
      'redis://me:p%40ss%2Fw%23rd%25@cache/1',
      { ...tcp, username: 'me', password: 'p@ss/w#rd%', database: 1 },
    ],
    ['redis://a%3Ab:c@cache', { ...tcp, username: 'a:b', password: 'c' }],
  ])('%s', (url, expected) => {
    expect(targetOf(url)).toEqual({ username: undefined, password: undefined, ...expected })
  })

  it.each([
    ['/run/redis.sock', { path: '/run/redis.sock' }],
    ['/run/redis.sock?db=2', { path: '/run/redis.sock', database: 2 }],
    ['unix:///run/redis.sock', { path: '/run/redis.sock' }],
    ['unix:///run/a%20b.sock?db=15', { path: '/run/a b.sock', database: 15 }],
    ['unix://me:s%40@/run/redis.sock', { path: '/run/redis.sock', username: 'me', password: 's@' }],
    ['unix://:secret@/run/redis.sock', { path: '/run/redis.sock', password: 'secret' }],
  ])('%s', (url, expected) => {
    expect(targetOf(url)).toEqual({
      transport: 'unix',
      host: '',
      port: 0,
      username: undefined,
      password: undefined,
      database: 0,
      ...expected,
    })
  })

  it.each([
    ['', /is empty.*unset it/],
    ['   ', /is empty/],
    ['localhost:6379', /not a Redis URL.*redis:\/\//],
    ['http://cache:6379', /not a Redis URL/],
    ['redis:cache', /not a Redis URL/],
    ['redis://', /cannot be read|no host/],
    ['redis:///0', /no host/],
    ['redis://one,two', /names several hosts.*redis:\/\/two/],
    ['redis://me:se,cret@one:1,two:2/0', /names several hosts: "redis:\/\/me:\*\*\*@one:1,two:2\/0"/],
    ['redis://:12,/3@cache', /cannot be read.*%2F/],
    ['redis://cache:port', /cannot be read/],
    ['redis://cache:70000', /cannot be read/],
    ['redis://cache:0', /invalid port.*1 to 65535/],
    ['redis://cache/one', /invalid database.*number/],
    ['redis://cache/-1', /invalid database/],
    ['redis://cache/0/1', /invalid database/],
    ['redis://cache?ssl=true', /parameters.*"ssl".*rediss/],
    ['redis://cache#1', /"#" part.*%23/],
    ['redis://me:12?3@cache', /"@" behind its host.*%3F/],
    ['redis://me:12/3@cache', /"@" behind its host.*%2F/],
    ['redis://me:12#3@cache', /"@" behind its host.*%23/],
    ['redis://me:100%@cache', /"%".*%25/],
    ['unix://', /unix socket/],
    ['unix://run/redis.sock', /unix socket/],
    ['/run/', /unix socket/],
    ['/', /unix socket/],
    ['/run/redis.sock?database=1', /Only "db"/],
  ])('refuses %j and says how to fix it', (url, message) => {
    const error = failure(url)
    expect(error.message).toMatch(message)
    expect(error.message).toMatch(/^\[next-distributed-cache\] REDIS_URL /)
  })

  it('names the variable that the URL came from', () => {
    expect(failure('nonsense', 'DISTRIBUTED_CACHE_URL').message).toContain('DISTRIBUTED_CACHE_URL is not')
  })

  it('gives back what was encoded', () => {
    const credential = fc.string({ minLength: 1, unit: 'binary' })
    fc.assert(
      fc.property(credential, credential, fc.nat(15), (username, password, database) => {
        const userinfo = `${encodeURIComponent(username)}:${encodeURIComponent(password)}`
        for (const url of [
          `redis://${userinfo}@cache/${database}`,
          `unix://${userinfo}@/s.sock?db=${database}`,
        ]) {
          expect(targetOf(url)).toMatchObject({ username, password, database })
        }
      }),
    )
  })
})

describe('redactUrl', () => {
  it.each([
    ['redis://me:hunter2@cache:6379/0', 'redis://me:***@cache:6379/0'],
    ['redis://:hunter2@cache', 'redis://:***@cache'],
    ['redis://me@cache', 'redis://me@cache'],
    ['redis://cache:6379/1', 'redis://cache:6379/1'],
    ['redis://[::1]:6379', 'redis://[::1]:6379'],
    ['redis://cache?password=hunter2', 'redis://cache?***'],
    // Not encoded as they should be: this is when an error gets printed.
    ['redis://me:hunter@2@cache', 'redis://me:***@cache'],
    ['redis://me:hun/ter2@cache', 'redis://me:***@cache'],
    ['redis://me:hun?ter2@cache', 'redis://me:***@cache'],
    ['redis://me:hun#ter2@cache', 'redis://me:***@cache'],
    ['redis://me:hunter2', 'redis://me:***'],
    ['me:hunter2@cache:6379', 'me:***@cache:6379'],
    ['hunter2@cache', '***@cache'],
    ['/run/redis.sock', '/run/redis.sock'],
    ['unix://me:hunter2@/run/redis.sock', 'unix://me:***@/run/redis.sock'],
  ])('%s', (url, expected) => {
    expect(redactUrl(url)).toBe(expected)
  })

  it('never lets a password into an error', () => {
    // Capitals that no message contains; digits first, because they can pass for a port.
    const secret = fc.stringMatching(/^\d{0,2}[/?#%:@ \\Ж]{0,6}Щ[/?#%:@ \\]{0,2}$/)
    const template = fc.constantFrom('redis://me:_@cache', 'me:_@cache:1', 'unix://me:_@/s', 'x://:_@h:p')
    fc.assert(
      fc.property(template, secret, (text, password) => {
        const url = text.replace('_', () => password)
        expect(redactUrl(url)).not.toMatch(/[ЖЩ]/)
        try {
          targetOf(url)
        } catch (error) {
          expect((error as Error).message).not.toMatch(/[ЖЩ]/)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})
