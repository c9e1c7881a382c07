import { expect, it } from 'vitest'
import { TagMemo } from '../../runtime/cache/tag-memo'

it('remembers the tags of a key until it has none', () => {
  const memo = new TagMemo()
  expect(memo.get('k')).toEqual([])
  memo.set('k', ['a', 'b'])
  expect(memo.get('k')).toEqual(['a', 'b'])
  memo.set('k', ['b', 'a'])
  expect(memo.get('k')).toEqual(['b', 'a'])
  memo.set('k', [])
  expect(memo.get('k')).toEqual([])
})

it('gives the list that it has where the tags are the same, and no other', () => {
  const memo = new TagMemo()
  const first = memo.set('k', ['a', 'b'])
  expect(memo.set('k', ['a', 'b'])).toBe(first)
  expect(memo.get('k')).toBe(first)
  for (const others of [['a'], ['a', 'b', 'c'], ['b', 'a'], []]) {
    expect(memo.set('k', others)).toEqual(others)
    memo.set('k', first)
  }
})

it('remembers what is in use, and never more than it may', () => {
  const memo = new TagMemo(100)
  memo.set('in use', ['x'])
  for (let index = 0; index < 1_000; index++) {
    memo.set(`k${index}`, ['a'])
    if (index % 20 === 0) memo.set('in use', memo.get('in use'))
  }
  expect(memo.get('in use')).toEqual(['x'])
  const remembered = Array.from({ length: 1_000 }, (_, index) => `k${index}`).filter(
    (key) => memo.get(key).length > 0,
  )
  expect(remembered.length).toBeLessThanOrEqual(100)
  expect(remembered.at(-1)).toBe('k999')
  memo.set('k999', [])
  expect(memo.get('k999')).toEqual([])
})

it('remembers fewer keys where each has many tags', () => {
  const memo = new TagMemo(1_000, 100)
  const keys = Array.from({ length: 100 }, (_, index) => `k${index}`)
  for (const key of keys) memo.set(key, Array.from({ length: 20 }, String))
  const remembered = keys.filter((key) => memo.get(key).length > 0)
  expect(remembered.length * 20).toBeLessThanOrEqual(120)
  expect(remembered.at(-1)).toBe('k99')
})
