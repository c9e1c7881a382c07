import type { AppChoice } from '../../support/e2e-tools'

/** A route of the store of which something is kept: the whole response, or what a function or fetch returned. */
export interface CachedRoute {
  readonly name: string
  readonly path: (id: string) => string
  /** Whose facts, and whose queries at the origin, tell what was rendered. */
  readonly reader: string
  /** Its content carries the tag `content:<id>`. */
  readonly tagged: boolean
  /** The whole response is kept. */
  readonly isResponse: boolean
  /** Next says HIT, STALE or MISS about it. */
  readonly tellsCache: boolean
  /** What is kept is the outcome of a render; of a `fetch`, only the origin's answer is kept. */
  readonly keepsRender: boolean
}

const response = { tagged: true, isResponse: true, tellsCache: true, keepsRender: true }
const part = { tagged: true, isResponse: false, tellsCache: false, keepsRender: true }
const fetched = { tagged: true, isResponse: false, tellsCache: false, keepsRender: false }

const at = (folder: string) => (id: string) => `/${folder}/${id}`

const BOTH: readonly CachedRoute[] = [
  { name: 'ISR page', path: at('isr'), reader: 'isr', ...response },
  { name: 'page below layouts', path: (id) => `/shop/of-${id}/${id}`, reader: 'shop', ...response },
  { name: 'page without tags', path: at('plain'), reader: 'plain', ...response, tagged: false },
  { name: 'route handler', path: at('api/cached'), reader: 'api-cached', ...response },
  { name: 'Pages Router', path: at('legacy'), reader: 'legacy', ...response, tagged: false },
  { name: 'fetch', path: at('fetch'), reader: 'fetch', ...fetched },
  { name: 'unstable_cache', path: at('memo'), reader: 'memo', ...part },
]

const CLASSIC: readonly CachedRoute[] = [
  ...BOTH,
  { name: 'page that never grows stale', path: at('forever'), reader: 'forever', ...response },
  { name: 'fetch beside server actions', path: at('actions'), reader: 'actions', ...fetched },
]

const COMPONENTS: readonly CachedRoute[] = [
  ...BOTH,
  { name: 'use cache', path: at('local'), reader: 'local', ...part },
  { name: 'use cache: remote', path: at('remote'), reader: 'remote', ...part },
  { name: 'use cache beside server actions', path: at('actions'), reader: 'actions', ...part },
  { name: 'PPR shell', path: at('ppr'), reader: 'ppr', ...part, isResponse: true },
]

export function routesOf(variant: AppChoice['variant']): readonly CachedRoute[] {
  return variant === 'classic' ? CLASSIC : COMPONENTS
}

export function routeOf(reader: string): CachedRoute {
  const route = [...CLASSIC, ...COMPONENTS].find((each) => each.reader === reader)
  if (route === undefined) throw new Error(`No route is read by ${reader}`)
  return route
}
