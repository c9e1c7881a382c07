/**
 * Few cells in which every two values of every two dimensions meet. Greedy: of all cells the one that
 * covers most pairs that no cell covers yet.
 *
 * @param {Record<string, string[]>} dimensions
 * @returns {Record<string, string>[]}
 */
export function pairwise(dimensions) {
  const names = Object.keys(dimensions)
  let all = [{}]
  for (const name of names)
    all = all.flatMap((cell) => dimensions[name].map((value) => ({ ...cell, [name]: value })))
  const pairsOf = (cell) =>
    names.flatMap((a, index) => names.slice(index + 1).map((b) => `${a}=${cell[a]} ${b}=${cell[b]}`))
  const missing = new Set(all.flatMap(pairsOf))
  const cells = []
  while (missing.size > 0 || cells.length === 0) {
    const gain = (cell) => pairsOf(cell).filter((pair) => missing.has(pair)).length
    const best = all.reduce((one, other) => (gain(other) > gain(one) ? other : one))
    cells.push(best)
    for (const pair of pairsOf(best)) missing.delete(pair)
    if (missing.size === 0) break
  }
  return cells
}
