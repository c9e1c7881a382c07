import { describe, expect, it } from 'vitest'
import { Ingredients } from '../../runtime/cache/ingredients'
import { markAge, readAge } from '../../runtime/handlers/age-mark'
import { localNow } from '../../src/server-time'

describe('ingredients', () => {
  it('limit what could have joined them, and nothing else', () => {
    const ingredients = new Ingredients()
    const began = localNow()
    const arrived = ingredients.generated('g', ['g'], 100)
    expect(ingredients.limit('f', 200, ['f', 'g'], began)).toBe(100)
    expect(ingredients.limit('f', 200, ['f'], began)).toBe(200)
    expect(ingredients.limit('f', 50, ['f', 'g'], began)).toBe(50)
    arrived()
    expect(ingredients.limit('f', 200, ['f', 'g'], began)).toBe(100)
    expect(ingredients.limit('f', 200, ['f', 'g'], localNow() + 1_000)).toBe(200)
  })

  it('limit in whichever order they arrive', () => {
    const ingredients = new Ingredients()
    const began = localNow()
    const arrived = ['a', 'b', 'c'].map((name, index) => ingredients.generated(name, [name], 300 - index))
    arrived[1]?.()
    arrived[0]?.()
    for (const [name, fence] of [
      ['a', 300],
      ['b', 299],
      ['c', 298],
    ] as const)
      expect(ingredients.limit('f', 500, ['f', name], began)).toBe(fence)
    // Nobody can join those two any more; the third is on its way.
    expect(ingredients.limit('f', 500, ['a', 'b'], localNow() + 1_000)).toBe(500)
    expect(ingredients.limit('f', 500, ['a', 'b', 'c'], localNow() + 1_000)).toBe(298)
  })

  it('do not limit themselves', () => {
    const ingredients = new Ingredients()
    ingredients.generated('f', ['f'], 100)
    expect(ingredients.limit('f', 200, ['f'], localNow())).toBe(200)
  })

  it('are forgotten safely', () => {
    const ingredients = new Ingredients()
    const began = localNow()
    for (let fence = 1; fence <= 2_100; fence++) ingredients.generated('g', [`g${fence}`], fence)()
    expect(ingredients.limit('f', 5_000, ['f'], began)).toBe(1)
    expect(ingredients.limit('f', 5_000, ['f'], localNow() + 1_000)).toBe(5_000)
  })
})

describe('the mark of an age', () => {
  it('comes off again, and the oldest counts', () => {
    const marked = [...markAge(['a', 'b'], 300), ...markAge(['b'], 200)]
    expect(readAge(marked)).toEqual({ tags: ['a', 'b'], asOf: 200 })
    expect(readAge(['a'])).toEqual({ tags: ['a'], asOf: Infinity })
  })

  it('that says nothing is no tag either', () => {
    expect(readAge(['a', '_ndc_as_of_soon'])).toEqual({ tags: ['a'], asOf: Infinity })
  })
})
