import { expect, it } from 'vitest'
import { KnownKeys } from '../../runtime/cache/known-keys'

it('known keys: what is read stays, what is not is forgotten, and their number is bounded', () => {
  const keys = new KnownKeys(10)
  keys.add('gone')
  keys.delete('gone')
  expect(keys.has('gone')).toBe(false)
  for (let index = 0; index < 100; index++) {
    keys.add('hot')
    keys.add(`key-${index}`)
    expect([keys.has('hot'), keys.has(`key-${index}`), keys.has(`key-${index - 10}`)]).toEqual([
      true,
      true,
      false,
    ])
  }
  keys.delete('hot')
  expect(keys.has('hot')).toBe(false)
})
