// The parts of the differential test that decide what it finds, and what it forgives.
import { describe, expect, it } from 'vitest'
import { touches } from '../differential/catalogue.mjs'
import { createMemory, differencesOf } from '../differential/compare.mjs'
import { createJudge, parseDeviations, readDeviations } from '../differential/deviations.mjs'
import { generate } from '../differential/generate.mjs'
import { createHistory } from '../differential/history.mjs'
import { pairwise } from '../differential/matrix.mjs'
import { createNames } from '../differential/names.mjs'
import { shrink } from '../differential/shrink.mjs'

describe('sequences', () => {
  it('are a function of the seed', () => {
    const choice = { seed: 5, length: 100, variant: 'components' }
    expect(generate(choice)).toEqual(generate(choice))
    expect(generate({ ...choice, seed: 6 })).not.toEqual(generate(choice))
    expect(generate(choice)).toHaveLength(100)
  })

  it.each(['classic', 'components'])('hold every kind of operation, over some seeds (%s)', (variant) => {
    const all = Array.from({ length: 20 }, (_, seed) => generate({ seed, length: 100, variant })).flat()
    const kinds = new Set(all.map(({ do: what, as, form, request }) => as ?? form ?? request?.action ?? what))
    const expected =
      'html rsc prefetch segment draft image legacy wait publish remove fail recover updateTag revalidateTag revalidatePath'
    expect(kinds).toEqual(new Set(expected.split(' ')))
  })
})

it('names are new for each attempt, and again when asked; prerendered ones are not', () => {
  const names = createNames('s1')
  expect(names.fill('/isr/{absent-a}')).toBe('/isr/absent-a-s1')
  expect(names.fill('/isr/{p1}')).toBe('/isr/p1')
  expect(names.renew('/shop/{cat-a}/{p1}')).toBe(true)
  expect(names.renew('/isr/{p1}')).toBe(false)
  expect(names.fill('/shop/{cat-a}/{p1}')).toBe('/shop/cat-a-s11/p1')
})

it('an observation differs in what a visitor could tell apart', () => {
  const seen = (cache, serial) => ({
    status: 200,
    cache,
    ms: 5,
    facts: { isr: { version: 1, serial, render: serial } },
  })
  const [stock, ours] = [createMemory(), createMemory()]
  const compare = (a, b) => differencesOf(stock.describe('/isr/a', a), ours.describe('/isr/a', b))
  expect(compare(seen('MISS', '1'), seen('MISS', '7'))).toEqual([])
  expect(compare(seen('HIT', '1'), seen('HIT', '7'))).toEqual([])
  expect(compare(seen('HIT', '1'), seen('HIT', '8'))).toEqual(['answer:isr', 'render:isr'])
  expect(compare(seen('HIT', '1'), { ...seen('STALE', '8'), ms: 9_000 })).toEqual(['cache', 'slow'])
})

it('a path is touched by its tags, its own name, its pattern and the layouts above it', () => {
  expect(touches({ tag: 'content:a' }, '/isr/a')).toBe(true)
  expect(touches({ tag: 'content:b' }, '/isr/a')).toBe(false)
  expect(touches({ tag: 'content:a' }, '/plain/a')).toBe(false)
  expect(touches({ target: '/isr/[id]', type: 'page' }, '/isr/a')).toBe(true)
  expect(touches({ target: '/shop', type: 'layout' }, '/shop/books/a')).toBe(true)
  expect(touches({ target: '/shop/[category]', type: 'layout' }, '/shop/books/a')).toBe(true)
  expect(touches({ target: '/', type: 'layout' }, '/isr/a')).toBe(true)
  expect(touches({ target: '/' }, '/isr/a')).toBe(false)
})

it('a history tells what happened to a path, in order, and deadlines when they have passed', () => {
  let now = 0
  const history = createHistory(() => now)
  history.invalidated({ tag: 'content:a', profile: { expire: 2 } })
  now = 1_000
  history.rendered('/isr/a', 'render')
  history.invalidated({ tag: 'content:b' })
  expect(history.of('/isr/a')).toBe('window render')
  now = 2_500
  history.invalidated({ tag: 'products', profile: 'max' })
  expect(history.of('/isr/a')).toBe('window render deadline soft')
})

describe('deviations', () => {
  it('are read from the page, which can be read', async () => {
    const deviations = await readDeviations()
    expect(deviations.length).toBeGreaterThan(5)
  })

  it('allow what all of their conditions hold for, and say which were of use', () => {
    const rules = parseDeviations(
      '| `one` | x | y | `stock.cache = HIT / STALE, ours.cache != HIT, history ~ hard( (a\\|b))*$` |\n| `two` | x | y | `newer = stock` |',
    )
    const judge = createJudge(rules)
    const circumstances = {
      'stock.cache': 'HIT',
      'ours.cache': 'MISS',
      history: 'render hard b a',
      newer: 'ours',
    }
    expect(judge.deviationOf(circumstances)).toBe('one')
    expect(judge.deviationOf({ ...circumstances, 'ours.cache': 'HIT' })).toBeUndefined()
    expect(judge.deviationOf({ ...circumstances, history: 'hard render' })).toBeUndefined()
    expect(judge.unused()).toEqual(['two'])
  })

  it('that cannot be read, or stand there twice, are errors', () => {
    expect(() => parseDeviations('| `one` | x | `colour = red` |')).toThrow('colour')
    expect(() => parseDeviations('| `one` | x | `newer = ours` |\n| `one` | x | `newer = none` |')).toThrow(
      'twice',
    )
  })
})

it('a failing sequence shrinks to what it needs', async () => {
  const items = Array.from({ length: 40 }, (_, index) => index)
  const fails = async (candidate) => candidate.includes(7) && candidate.includes(31)
  expect(await shrink(items, fails)).toEqual([7, 31])
})

it('every two values of two dimensions meet in a cell', () => {
  const dimensions = { a: ['1', '2'], b: ['1', '2'], c: ['1', '2'], d: ['1', '2'] }
  const cells = pairwise(dimensions)
  expect(cells.length).toBeLessThan(8)
  for (const x of ['1', '2'])
    for (const y of ['1', '2']) expect(cells.some(({ a, d }) => a === x && d === y)).toBe(true)
  expect(pairwise({ a: ['1'], b: ['1'] })).toEqual([{ a: '1', b: '1' }])
})
