// Which combinations are measured. A full matrix would take a day; each dimension is varied around one middle case.

const KiB = 1024
const APIS = ['use cache', 'cacheHandler']
const MIDDLE = { bytes: 50 * KiB, tags: 5, concurrency: 64, network: 'loopback' }

export const sizeName = (bytes) => (bytes >= KiB * KiB ? `${bytes / KiB / KiB} MB` : `${bytes / KiB} KB`)

/** What every cell says about itself, in the order of `name`. */
export function cellOf(api, op, changes) {
  const { bytes, tags, concurrency, network, oneDriver } = { ...MIDDLE, ...changes }
  const parts = [api, op, sizeName(bytes), `${tags} tags`, `${concurrency} at a time`, network]
  return {
    name: parts.join(', '),
    api,
    op,
    bytes,
    tags: Array.from({ length: tags }, (_, index) => `bench-tag-${index}`),
    concurrency,
    network,
    // Few enough that the entries of all cells together fit into any local memory.
    keys: bytes >= 2 ** 20 ? 4 : bytes > 100 * KiB ? 16 : 64,
    // What a driver makes of tags is in the rows of the middle case.
    ...(oneDriver && { oneDriver }),
  }
}

/** Most of such a figure is the wait for the proxy, which no repetition changes. */
export const isWaiting = ({ network, concurrency }) => network !== 'loopback' && concurrency === 1

const READS = ['read hit', 'conditional read', 'L1 hit']
const SIZES = [1 * KiB, 50 * KiB, 500 * KiB, 2 * KiB * KiB]

/** @param {{ quick: boolean }} options */
export function handlerCells({ quick }) {
  const cells = new Map()
  const add = (api, op, changes) => {
    const cell = cellOf(api, op, changes)
    cells.set(cell.name, cell)
  }
  for (const api of APIS) {
    for (const bytes of quick ? [1 * KiB, 50 * KiB] : SIZES) add(api, 'read hit', { bytes })
    for (const bytes of quick ? [500 * KiB] : SIZES) add(api, 'conditional read', { bytes })
    for (const bytes of quick ? [50 * KiB] : SIZES) add(api, 'L1 hit', { bytes })
    if (quick && api === 'cacheHandler') continue
    add(api, 'read hit', { concurrency: 1, network: '1 ms' })
    for (const op of ['read miss', 'write', 'invalidate']) add(api, op, { concurrency: 1 })
    if (quick) continue
    for (const bytes of SIZES) add(api, 'write', { bytes })
    for (const op of [...READS, 'write', 'invalidate']) {
      add(api, op, { concurrency: 1 })
      if (op !== 'L1 hit') add(api, op, { concurrency: 1, network: '1 ms' })
      for (const tags of [1, 30]) add(api, op, { tags, oneDriver: true })
    }
    add(api, 'read miss', {})
    add(api, 'read miss', { concurrency: 1, network: '1 ms' })
    add(api, 'invalidate', {})
    for (const op of ['read hit', 'conditional read']) add(api, op, { network: '1 ms' })
  }
  // What the goals are about comes first: a quick run may have to leave out the rest.
  const [first, rest] = [[], []]
  for (const cell of cells.values()) (READS.includes(cell.op) ? first : rest).push(cell)
  return [...first, ...rest]
}
