const FOLDERS = /(?<![\w:/@])(?:file:\/\/)?\/(?:[^\s/'"]+\/)+/g

/** The first line of what went wrong, since rows have no room for more; without folders, since results are published. */
export const reasonOf = (error) =>
  String(error?.message ?? error)
    .split('\n')[0]
    .replace(FOLDERS, '')

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
