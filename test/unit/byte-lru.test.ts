import { expect, it } from 'vitest'
// @ts-ignore: no declarations
import { createRandom } from '../differential/random.mjs'
import { ByteLru, OVERHEAD_BYTES } from '../../runtime/memory/byte-lru'

const MAX_BYTES = 20_000
const MAX_ENTRY_BYTES = 6_000

it.each([1, 2, 3])('holds exactly what a plain list in order of use would: seed %i', (seed) => {
  const random = createRandom(seed) as { next(): number; pick<T>(from: readonly T[]): T }
  const lru = new ByteLru<number>(MAX_BYTES, MAX_ENTRY_BYTES)
  /** Oldest first. */
  let model: { key: string; value: number; bytes: number }[] = []
  const keys = Array.from({ length: 30 }, (_, index) => `k${index}`)
  const used = (key: string) => {
    const found = model.find((one) => one.key === key)
    if (found !== undefined) model = [...model.filter((one) => one !== found), found]
    return found
  }
  const sum = () =>
    model.reduce((total, { key, bytes }) => total + bytes + 2 * key.length + OVERHEAD_BYTES, 0)
  const evict = () => {
    while (sum() > MAX_BYTES) model.shift()
  }
  const actions = {
    get: (key: string) => expect(lru.get(key)).toBe(used(key)?.value),
    set(key: string, bytes: number, value: number) {
      model = model.filter((one) => one.key !== key)
      const fits = bytes <= MAX_ENTRY_BYTES
      if (fits) model.push({ key, value, bytes })
      expect(lru.set(key, value, bytes)).toBe(fits)
    },
    resize(key: string, bytes: number) {
      const fits = model.some((one) => one.key === key) && bytes <= MAX_ENTRY_BYTES
      const found = used(key)
      if (fits && found !== undefined) found.bytes = bytes
      expect(lru.resize(key, bytes)).toBe(fits)
    },
    delete(key: string) {
      const was = model.length
      model = model.filter((one) => one.key !== key)
      expect(lru.delete(key)).toBe(model.length < was)
    },
  }
  const names = ['get', 'get', 'set', 'set', 'resize', 'delete'] as const
  for (let step = 0; step < 5_000; step++) {
    actions[random.pick(names)](random.pick(keys), Math.floor(random.next() ** 2 * 8_000), step)
    evict()
    expect(lru.size).toBe(model.length)
    expect(lru.bytes).toBe(sum())
  }
  for (const { key, value } of model) expect(lru.get(key)).toBe(value)
})
