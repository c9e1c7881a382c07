import { expect, it } from 'vitest'
import type { ResponseValue } from '../../runtime/handlers/next-types'
import { MAX_READS, RequestReads } from '../../runtime/handlers/request-reads'
import type { Entry } from '../../src/entry'

const valueOf = (kind: 'REDIRECT' | 'IMAGE') => ({ kind, props: {} }) as unknown as ResponseValue
const entryOf = (fence: number) => ({ fence }) as Entry

it('the oldest read of each key counts, until it was used', () => {
  const reads = new RequestReads()
  for (const [key, fence] of [
    ['a', 1],
    ['b', 2],
    ['c', undefined],
    ['a', 4],
    ['b', 5],
  ] as const)
    reads.note(key, fence, 10 + (fence ?? 0))
  expect(reads.take('a')).toEqual({ fence: 1, at: 11 })
  expect(reads.take('a')).toBeUndefined()
  // Another key must not take the place of one that is remembered.
  reads.note('b', 6, 16)
  expect(reads.take('b')).toEqual({ fence: 2, at: 12 })
  expect(reads.take('b')).toBeUndefined()
  expect(reads.take('c')).toEqual({ fence: undefined, at: 10 })
  reads.note('a', 7, 17)
  expect(reads.take('a')).toEqual({ fence: 7, at: 17 })
})

it('a value that is handed back is known, the first as well as the others; a copy is not', () => {
  const reads = new RequestReads()
  const values = [valueOf('REDIRECT'), valueOf('REDIRECT'), valueOf('IMAGE')]
  values.forEach((value, index) => reads.handOut(value, entryOf(index)))
  expect(values.map((value) => reads.originOf(value)?.fence)).toEqual([0, 1, 2])
  expect(values.map((value) => reads.originOf({ ...value }))).toEqual([undefined, undefined, undefined])
})

it('the handler of images, which lives as long as the server, keeps none alive', () => {
  const reads = new RequestReads()
  const image = valueOf('IMAGE')
  reads.handOut(image, entryOf(1))
  expect(reads.originOf(image)?.fence).toBe(1)
  expect(Object.values(reads)).not.toContain(image)
})

it('what is never set is forgotten, the oldest first', () => {
  const reads = new RequestReads()
  for (let key = 0; key <= MAX_READS + 1; key++) reads.note(String(key), key, key)
  expect(reads.take('1')).toBeUndefined()
  expect(reads.take('2')).toEqual({ fence: 2, at: 2 })
  expect(reads.take(String(MAX_READS + 1))).toEqual({ fence: MAX_READS + 1, at: MAX_READS + 1 })
})
