import { describe, expect, it } from 'vitest'
import { createKeyNames, hashCacheKey, safeNamespace } from '../../src/key-names'

describe('key names', () => {
  it('never hold the raw cache key', () => {
    const { entry } = createKeyNames('ndc:shop', 'build-1')
    expect(entry('response', '/account/alice@example.com')).toMatch(
      /^ndc:shop:build-1:r:\{[A-Za-z0-9_-]{43}\}$/,
    )
  })

  it('tell keys apart that differ only in lone surrogates, which UTF-8 does not', () => {
    expect(Buffer.from('\ud800')).toEqual(Buffer.from('\ud801'))
    expect(hashCacheKey('\ud800')).not.toBe(hashCacheKey('\ud801'))
  })

  it('tell kinds, deployments and applications apart', () => {
    const names = [
      createKeyNames('ndc:shop', 'a').entry('response', 'k'),
      createKeyNames('ndc:shop', 'a').entry('fetch', 'k'),
      createKeyNames('ndc:shop', 'b').entry('response', 'k'),
      createKeyNames('ndc:blog', 'a').entry('response', 'k'),
    ]
    expect(new Set(names).size).toBe(names.length)
  })

  it('share the tag state between deployments, not between applications', () => {
    expect(createKeyNames('ndc:shop', 'a').tags).toBe(createKeyNames('ndc:shop', 'b').tags)
    expect(createKeyNames('ndc:shop', 'a').tags).not.toBe(createKeyNames('ndc:blog', 'a').tags)
  })

  it.each(['{braces}', 'white space', 'a:b', 'ünï', '', 'x'.repeat(200), '\ud800'])(
    'make a namespace such as %j safe in a key',
    (namespace) => expect(safeNamespace(namespace)).toMatch(/^h-[0-9a-f]{32}$/),
  )
})
