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
