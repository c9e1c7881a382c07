/** The first line of what went wrong: rows have no room for more. */
export const reasonOf = (error) => String(error?.message ?? error).split('\n')[0]

/**
 * @template T
 * @param {Promise<T>} work goes on behind the scenes when it is late; nobody waits for it any more
 * @returns {Promise<T>}
 * @throws Error after `limitMs`
 */
export async function bounded(work, limitMs, what = 'it') {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${limitMs / 1000} s`)), limitMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
