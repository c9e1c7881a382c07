import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { expandTemplate } from '../../plugin/expand-template'
import { dist } from './plugin-support'

describe('expandTemplate', () => {
  it('puts values in the place of placeholders, everywhere', () => {
    expect(
      expandTemplate('a(__NDC_ONE__, __NDC_TWO__, __NDC_ONE__)', { __NDC_ONE__: '{}', __NDC_TWO__: '$1' }),
    ).toBe('a({}, $1, {})')
  })

  it('does not expand what a value contains', () => {
    expect(expandTemplate('__NDC_ONE__', { __NDC_ONE__: '"__NDC_TWO__"' })).toBe('"__NDC_TWO__"')
  })

  it.each([
    ['a placeholder without a value', '__NDC_ONE__ __NDC_TWO__', { __NDC_ONE__: '1' }, '__NDC_TWO__'],
    ['a value without a placeholder', '__NDC_ONE__', { __NDC_ONE__: '1', __NDC_TWO__: '2' }, '__NDC_TWO__'],
    ['a name of every object', '__NDC_ONE__', {}, '__NDC_ONE__'],
  ])('refuses %s', (_name, text, values, culprit) => {
    const expand = () => expandTemplate(text, values as Record<string, string>)
    expect(expand).toThrow(culprit)
    expect(expand).toThrow(expect.objectContaining({ code: 'TEMPLATE' }))
  })
})

describe('the compiled router template', () => {
  const text = readFileSync(join(dist, 'templates', 'router.js'), 'utf8')

  it('requires nothing', () => {
    expect(text).not.toMatch(/\brequire\(/)
  })

  it('has exactly the placeholders that the plugin fills in', () => {
    const placeholders = new Set(text.match(/__NDC_\w+?__/g))
    expect([...placeholders].sort()).toEqual(['__NDC_FALLBACK__', '__NDC_OPTIONS__', '__NDC_STOCK__'])
  })
})
