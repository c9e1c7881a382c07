// What the simulated application consists of. Each unit has content of its own, whose version the origin counts,
// and may contain other units.

/** Lives, in seconds. What is handed out with less than `SHORT_LIFE` is masked. */
export const YEAR = 31_536_000
export const SHORT_LIFE = 3
/** What Next gives a page whose refresh failed, at most; only pages without a time of their own fail. */
export const RETRY_LIFE = 30

/** @type {Record<string, Unit>} */
export const UNITS = {
  // `use cache`; `explicit`: has a cacheLife of its own, so that it does not inherit what it contains.
  g0: { kind: 'function', tags: ['g0', 'all'], contains: [], revalidate: 900, expire: 3600, explicit: true },
  g1: { kind: 'function', tags: ['g1'], contains: [], revalidate: 4, expire: 3600, explicit: true },
  f0: { kind: 'function', tags: ['f0'], contains: ['g0'], revalidate: 900, expire: 3600, explicit: true },
  f1: {
    kind: 'function',
    tags: ['f1'],
    contains: ['g0', 'g1'],
    revalidate: 900,
    expire: 3600,
    explicit: false,
  },
  // `fetch`
  x0: { kind: 'fetch', tags: ['x0', 'all'], contains: [], revalidate: 900 },
  x1: { kind: 'fetch', tags: ['x1'], contains: [], revalidate: 4 },
  // ISR pages; false: until somebody says so.
  p0: { kind: 'page', tags: ['p0'], contains: ['f0', 'x0'], revalidate: false },
  p1: { kind: 'page', tags: ['p1'], contains: ['f1', 'x1'], revalidate: 4 },
  p2: { kind: 'page', tags: ['p2'], contains: [], revalidate: false, published: true },
  p3: { kind: 'page', tags: ['p3'], contains: ['g0'], revalidate: false },
  p4: { kind: 'page', tags: ['p4'], contains: [], revalidate: 4, published: true },
}

/**
 * @typedef {{ kind: 'function' | 'fetch' | 'page', tags: string[], contains: string[], revalidate: number | false,
 *   expire?: number, explicit?: boolean, published?: boolean }} Unit
 */

export const UNIT_NAMES = Object.keys(UNITS)
export const PAGES = UNIT_NAMES.filter((name) => UNITS[name].kind === 'page')
export const PUBLISHED = PAGES.filter((name) => UNITS[name].published)
/** Routes that are rendered on every request, from cached functions and fetches. */
export const DYNAMIC_ROUTES = {
  d0: ['f0', 'x1'],
  d1: ['f1', 'g0'],
  d2: ['g1', 'x0'],
  d3: ['g0'],
  d4: ['g1'],
  d5: ['x0'],
  d6: ['x1'],
}
export const TAGS = [...new Set(UNIT_NAMES.flatMap((name) => UNITS[name].tags))]

/** The implicit tag of a route, as `revalidatePath` names it. */
export const pathTag = (route) => `_N_T_/${route}`
/** The key under which a unit is cached. */
export const keyOf = (name) => (UNITS[name].kind === 'page' ? `/${name}` : `key of ${name}`)
/** Units that carry a tag themselves. */
export const carriersOf = (tag) =>
  UNIT_NAMES.filter((name) => UNITS[name].tags.includes(tag) || pathTag(name) === tag)
