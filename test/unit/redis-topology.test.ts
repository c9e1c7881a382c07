import { describe, expect, it } from 'vitest'
import { parseRedisPlace, type Topology } from '../../src/redis-topology'
import { redactUrl } from '../../src/redis-url'
import { targetOf } from '../support/redis-target'
import { withoutSecrets } from '../../src/environment'

describe('a cluster', () => {
  it('has seeds that share what the first one says', () => {
    const place = parseRedisPlace(
      'rediss://user:pw@a:1?servername=redis.internal, rediss://b,rediss://[::1]:3',
      'cluster',
    )
    const shared = { transport: 'tls', username: 'user', password: 'pw', database: 0, path: '' }
    const tls = { caFile: undefined, certFile: undefined, keyFile: undefined, serverName: 'redis.internal' }
    expect(place).toEqual({
      topology: 'cluster',
      seeds: [
        { ...shared, tls, host: 'a', port: 1 },
        { ...shared, tls, host: 'b', port: 6379 },
        { ...shared, tls, host: '::1', port: 3 },
      ],
    })
  })
  it('may have one seed, and a comma in its password', () => {
    expect(parseRedisPlace('valkey://:a,b@host', 'cluster')).toMatchObject({
      seeds: [{ host: 'host', password: 'a,b' }],
    })
  })
})

describe('sentinels', () => {
  it('have credentials of their own, and a port of their own', () => {
    const url = 'redis://user:pw@one/2?master=mymaster&sentineluser=su&sentinelpassword=sp,redis://two:7'
    expect(parseRedisPlace(url, 'sentinel')).toMatchObject({
      master: 'mymaster',
      target: { username: 'user', password: 'pw', database: 2 },
      sentinels: [
        { host: 'one', port: 26379, username: 'su', password: 'sp', database: 0 },
        { host: 'two', port: 7, username: 'su', password: 'sp', database: 0 },
      ],
    })
  })

  it('may have passwords in base64, in which a plus is none of a form', () => {
    const url = 'redis://:a+b@one?master=m&sentinelpassword=c+d/e=='
    expect(parseRedisPlace(url, 'sentinel')).toMatchObject({
      target: { password: 'a+b' },
      sentinels: [{ password: 'c+d/e==' }],
    })
  })
})

describe('what is wrong', () => {
  it.each<[Topology, string, RegExp]>([
    [
      'single',
      'redis://:hunter2@a,redis://b',
      /has several URLs.+Set DISTRIBUTED_CACHE_TOPOLOGY to cluster or sentinel/,
    ],
    ['cluster', 'redis://:hunter2@a/1,redis://b', /has a database.+database 0 only/],
    [
      'cluster',
      'redis://:hunter2@a,redis://:other-hunter2@b',
      /differ in more than host and port.+on the first one/,
    ],
    ['cluster', 'redis://:hunter2@a,rediss://b', /differ in more than host and port/],
    ['cluster', 'unix://:hunter2@/run/redis.sock', /names a unix socket/],
    ['cluster', 'redis://:hunter2@a?master=m', /parameters that are not supported \("master"\)/],
    ['sentinel', 'redis://:hunter2@a', /does not name the primary/],
    [
      'sentinel',
      'redis://a?master=m&sentinelpasword=hunter2',
      /not supported \("sentinelpasword"\).+sentinelpassword/,
    ],
    ['single', 'redis://:hunter2@a?cafile=/ca.pem', /parameters of TLS without TLS.+rediss:/],
    ['single', 'rediss://:hunter2@a?certfile=/cert.pem', /only one of certfile and keyfile/],
    ['single', 'rediss://:hunter2@a?servername=10.0.0.1', /servername that is no host name/],
  ])('%s %s', (topology, url, message) => {
    const parse = () => parseRedisPlace(url, topology, 'REDIS_URL')
    expect(parse).toThrow(message)
    expect(parse).toThrow(expect.objectContaining({ code: 'INVALID_ENVIRONMENT' }))
    expect(parse).not.toThrow('hunter2')
  })
})

describe('secrets of several URLs', () => {
  const url = 'redis://u:one-hunter2@a:1/0?master=m&sentinelpassword=two%2Dhunter2,redis://u:three-hunter2@b'
  it('do not show', () => {
    expect(redactUrl(url)).toBe('redis://u:***@a:1/0?***,redis://u:***@b')
    const said = withoutSecrets(`${url} one-hunter2 two%2Dhunter2 two-hunter2 three-hunter2`, url)
    expect(said).not.toContain('hunter2')
  })
})

describe('valkey', () => {
  it('is an alias', () => {
    expect(targetOf('valkey://u:p@h:1/2')).toEqual(targetOf('redis://u:p@h:1/2'))
    expect(targetOf('valkeys://h')).toEqual(targetOf('rediss://h'))
    expect(redactUrl('valkeys://u:p@h')).toBe('valkeys://u:***@h')
  })
})
