// The kinds of pages that are asked for. Each carries the tag `content:<id>` and says which version it shows.
export const ROUTES = [
  { name: 'ISR page', reader: 'isr', path: (id) => `/isr/${id}` },
  { name: 'use cache', reader: 'local', path: (id) => `/local/${id}` },
  { name: 'use cache: remote', reader: 'remote', path: (id) => `/remote/${id}` },
  { name: 'fetch', reader: 'fetch', path: (id) => `/fetch/${id}` },
  { name: 'route handler', reader: 'api-cached', path: (id) => `/api/cached/${id}` },
]

/** What the load asks for, and what every fault invalidates: the same ids again, so that a soak does not grow by names. */
export const HOT_IDS = Array.from({ length: 6 }, (_, index) => `hot-${index}`)
export const VICTIM_IDS = Array.from({ length: 8 }, (_, index) => `victim-${index}`)
