import { describe, expect, it } from 'vitest'
import { encodeNamespace, readEnvironment, withoutSecrets } from '../../src/environment'

describe('readEnvironment', () => {
  it('counts an empty variable as unset', () => {
    const unset = readEnvironment({})
    expect(unset).toEqual({
      enabled: undefined,
      url: undefined,
      topology: 'single',
      preset: undefined,
      namespace: undefined,
      debug: false,
    })
    expect(
      readEnvironment({
        DISTRIBUTED_CACHE: '',
        DISTRIBUTED_CACHE_URL: ' ',
        REDIS_URL: '',
        DISTRIBUTED_CACHE_TOPOLOGY: '',
        DISTRIBUTED_CACHE_PRESET: '',
        DISTRIBUTED_CACHE_NAMESPACE: '',
        DISTRIBUTED_CACHE_DEBUG: '',
      }),
    ).toEqual(unset)
  })

  it('reads every variable', () => {
    expect(
      readEnvironment({
        DISTRIBUTED_CACHE: 'On',
        DISTRIBUTED_CACHE_URL: ' redis://ours ',
        REDIS_URL: 'redis://theirs',
        DISTRIBUTED_CACHE_PRESET: 'l1-pubsub',
        DISTRIBUTED_CACHE_NAMESPACE: 'blue',
        DISTRIBUTED_CACHE_DEBUG: '1',
      }),
    ).toEqual({
      enabled: 'on',
      url: 'redis://ours',
      topology: 'single',
      preset: 'l1-pubsub',
      namespace: 'blue',
      debug: true,
    })
    expect(readEnvironment({ REDIS_URL: 'rediss://theirs:6380/1' }).url).toBe('rediss://theirs:6380/1')
    expect(readEnvironment({ NEXT_PRIVATE_DEBUG_CACHE: '1' }).debug).toBe(true)
    expect(readEnvironment({ DISTRIBUTED_CACHE_DEBUG: 'false' }).debug).toBe(false)
  })

  it('reads several URLs where the topology has several nodes', () => {
    const nodes = 'redis://a:1,redis://b:2'
    expect(readEnvironment({ REDIS_URL: nodes, DISTRIBUTED_CACHE_TOPOLOGY: 'cluster' }).url).toBe(nodes)
  })

  it.each([
    [{ DISTRIBUTED_CACHE: 'yes' }, 'DISTRIBUTED_CACHE is "yes". Set it to on or off, or unset it.'],
    [{ DISTRIBUTED_CACHE_TOPOLOGY: 'ring' }, 'Set it to single or cluster or sentinel, or unset it.'],
    [
      { DISTRIBUTED_CACHE_PRESET: 'fast' },
      'DISTRIBUTED_CACHE_PRESET is "fast". Set it to strict or l1-pubsub',
    ],
    [{ REDIS_URL: 'http://:hunter22@host' }, 'REDIS_URL is not a Redis URL'],
    [{ DISTRIBUTED_CACHE_URL: 'redis://:hunter22@host:notaport' }, 'DISTRIBUTED_CACHE_URL'],
  ])('%j', (variables, message) => {
    const read = () => readEnvironment(variables)
    expect(read).toThrow(message)
    expect(read).toThrow(expect.objectContaining({ code: 'INVALID_ENVIRONMENT' }))
    expect(read).not.toThrow('hunter22')
  })
})

describe('withoutSecrets', () => {
  it.each([
    ['redis://:p%40ss@host:1', 'connect redis://:p%40ss@host:1 failed, tried p@ss and p%40ss'],
    ['redis://user:hunter22@host', 'WRONGPASS hunter22'],
  ])('%s', (url, message) => {
    const safe = withoutSecrets(message, url)
    expect(safe).not.toMatch(/p@ss|p%40ss|hunter22/)
    expect(safe).toContain('***')
  })

  it('leaves other messages alone', () => {
    expect(withoutSecrets('nothing', 'redis://host')).toBe('nothing')
    expect(withoutSecrets('nothing', undefined)).toBe('nothing')
  })
})

describe('encodeNamespace', () => {
  it.each([
    ['build-TfctsWXpff2fKS', 'build-TfctsWXpff2fKS'],
    ['a/b', 'a%002fb'],
    ['a{b}', 'a%007bb%007d'],
    ['a%002fb', 'a%0025002fb'],
    ['\ud800', '%d800'],
    ['é', '%00e9'],
  ])('%s: %s', (id, encoded) => {
    expect(encodeNamespace(id)).toBe(encoded)
  })
})
