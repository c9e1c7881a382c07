// Delta debugging: the shortest sequence that still makes the two sides part in the same way.

/**
 * @template T
 * @param {T[]} items
 * @param {(candidate: T[]) => Promise<boolean>} fails
 * @param {{ attempts?: number }} [limits]
 * @returns {Promise<T[]>}
 */
export async function shrink(items, fails, { attempts = 80 } = {}) {
  let current = items
  let parts = 2
  const tried = new Set()
  const stillFails = async (candidate) => {
    const key = JSON.stringify(candidate)
    if (attempts <= 0 || tried.has(key)) return false
    tried.add(key)
    attempts--
    return fails(candidate)
  }
  while (current.length > 1 && attempts > 0) {
    const size = Math.ceil(current.length / parts)
    let reduced = false
    for (let start = 0; start < current.length; start += size) {
      const without = [...current.slice(0, start), ...current.slice(start + size)]
      if (without.length === 0 || !(await stillFails(without))) continue
      current = without
      parts = Math.max(2, parts - 1)
      reduced = true
      break
    }
    if (!reduced) {
      if (size === 1) break
      parts = Math.min(current.length, parts * 2)
    }
  }
  return current
}
