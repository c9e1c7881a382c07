import { expect, it } from 'vitest'
import { KeyMemo } from '../../runtime/cache/key-memo'
import type { EntryScope } from '../../src/key-names'

function countingNames() {
  const asked: string[] = []
  return { asked, entry: (scope: EntryScope, key: string) => `${asked.push(key)}-${scope}-${key.length}` }
}

it('asks once for the name of a key, and keeps the kinds apart', () => {
  const names = countingNames()
  const memo = new KeyMemo(names)
  const name = memo.nameOf('response', 'k')
  expect(memo.nameOf('response', 'k')).toBe(name)
  expect(memo.nameOf('use-cache', 'k')).not.toBe(name)
  expect(names.asked).toEqual(['k', 'k'])
})

it('keeps what is in use, forgets the rest, and does not keep long keys at all', () => {
  const names = countingNames()
  const memo = new KeyMemo(names)
  memo.nameOf('fetch', 'in use')
  for (let i = 0; i < 10_000; i++) {
    memo.nameOf('fetch', `seen once ${i}`)
    memo.nameOf('fetch', 'in use')
  }
  expect(names.asked.filter((key) => key === 'in use')).toHaveLength(1)
  memo.nameOf('fetch', 'seen once 0')
  expect(names.asked.filter((key) => key === 'seen once 0')).toHaveLength(2)
  const long = 'x'.repeat(2_000)
  memo.nameOf('fetch', long)
  memo.nameOf('fetch', long)
  expect(names.asked.filter((key) => key === long)).toHaveLength(2)
})
