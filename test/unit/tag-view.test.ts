import fc from 'fast-check'
import { expect, it } from 'vitest'
import { LocalTagView } from '../../runtime/cache/tag-view'
import { applyInvalidation, judge, NO_RECORD, type TagRecord } from '../../src/tag-state'

const TAGS = ['a', 'b', 'c', 'd']
const NOW = 1_000
const invalidation = fc.record({
  tag: fc.constantFrom(...TAGS),
  clock: fc.integer({ min: 1, max: 40 }),
  windowMicros: fc.option(fc.integer({ min: 1, max: 2_000 }), { nil: undefined }),
})

it('what a view leaves out changes no verdict', () => {
  fc.assert(
    fc.property(
      fc.array(invalidation, { maxLength: 12 }),
      fc.integer({ min: 0, max: 45 }),
      fc.integer({ min: 0, max: 30 }),
      fc.integer({ min: NOW, max: NOW + 3_000 }),
      fc.array(fc.constantFrom(...TAGS), { maxLength: 3 }),
      (invalidations, fence, floor, now, own) => {
        const records = new Map<string, TagRecord>()
        for (const { tag, clock, windowMicros } of invalidations)
          records.set(tag, applyInvalidation(records.get(tag) ?? NO_RECORD, clock, windowMicros, NOW))
        const all = { clock: 50, floor, incarnation: '', records }
        const view = new LocalTagView()
        view.learn(all, TAGS, 0)
        const known = view.view(50, fence, own, ['c'], ['d'])
        for (const tags of [own, ['c'], ['d'], [...own, 'c', 'd']])
          expect(judge(known!, fence, tags, now)).toBe(judge(all, fence, tags, now))
      },
    ),
    { numRuns: 500, seed: 20261122 },
  )
})

it('of a tag that is not known nothing is said, wherever it stands', () => {
  const view = new LocalTagView()
  view.learn({ clock: 1, floor: 0, incarnation: '', records: new Map() }, ['a'], 0)
  expect(view.view(1, 1, ['a'], ['a'], ['a'])).toBeDefined()
  expect(view.view(1, 1, ['a', 'x'], [], [])).toBeUndefined()
  expect(view.view(1, 1, ['a'], ['x'], [])).toBeUndefined()
  expect(view.view(1, 1, ['a'], [], ['x'])).toBeUndefined()
  view.forget()
  expect(view.view(1, 1, ['a'], [], [])).toBeUndefined()
})

it('a view that says nothing tells the clock and the floor of now', () => {
  const view = new LocalTagView()
  const state = { clock: 5, floor: 0, incarnation: '', records: new Map<string, TagRecord>() }
  view.learn(state, ['a'], 0)
  expect(view.view(5, 9, ['a'], [], [])).toMatchObject({ clock: 5, floor: 0 })
  view.learn({ ...state, clock: 8, floor: 7 }, ['a'], 5)
  expect(view.view(8, 9, ['a'], [], [])).toMatchObject({ clock: 8, floor: 7 })
})
