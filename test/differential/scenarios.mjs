// Sequences that once told the two sides apart, or that chance finds too seldom. Every cell runs them.

const visit = (path, as = 'html') => ({ do: 'visit', path, as })
const tag = (name, profile) => ({ do: 'control', request: { action: 'revalidateTag', tag: name, profile } })
const wait = (ms) => ({ do: 'wait', ms })
const origin = (what, id) => ({ do: what, id })

/** @type {Record<string, { variant?: string, operations: import('./generate.mjs').Operation[] }>} */
export const SCENARIOS = {
  'a prefetch of a stale page leaves the refresh to the visit': {
    operations: [
      visit('/isr/{a}'),
      tag('content:{a}', 'max'),
      visit('/isr/{a}', 'segment'),
      visit('/isr/{a}', 'prefetch'),
      visit('/isr/{a}'),
      visit('/isr/{a}'),
    ],
  },
  'a navigation after a prefetch of an old page refreshes it': {
    operations: [
      visit('/shop/books/{a}'),
      tag('category:books', 'max'),
      visit('/shop/books/{a}', 'prefetch'),
      visit('/shop/books/{a}', 'rsc'),
      visit('/shop/books/{a}'),
      visit('/shop/books/{a}'),
    ],
  },
  'a navigation to a page that was never rendered holds nobody': {
    operations: [
      visit('/isr/{a}', 'rsc'),
      visit('/isr/{a}'),
      visit('/timed/{b}', 'rsc'),
      visit('/timed/{b}'),
    ],
  },
  'an invalidation after a failed refresh is reason to try again': {
    operations: [
      visit('/isr/{a}'),
      tag('content:{a}', 'max'),
      origin('fail', '{a}'),
      visit('/isr/{a}'),
      visit('/isr/{a}'),
      origin('recover', '{a}'),
      origin('publish', '{a}'),
      tag('content:{a}', 'max'),
      visit('/isr/{a}'),
      visit('/isr/{a}'),
    ],
  },
  'what a failed refresh wrote back does not look new': {
    operations: [
      visit('/isr/{a}'),
      tag('content:{a}', { expire: 4 }),
      origin('fail', '{a}'),
      visit('/isr/{a}'),
      origin('recover', '{a}'),
      origin('publish', '{a}'),
      wait(5_600),
      visit('/isr/{a}'),
      visit('/isr/{a}'),
    ],
  },
  'that a page does not exist is kept': {
    operations: [
      visit('/legacy/{absent-a}'),
      visit('/isr/{absent-a}'),
      visit('/api/cached/{absent-a}'),
      origin('publish', '{absent-a}'),
      visit('/legacy/{absent-a}'),
      visit('/isr/{absent-a}'),
      visit('/api/cached/{absent-a}'),
    ],
  },
  'the build output is served, and refreshed': {
    operations: ['/isr/{p1}', '/shop/books/{p1}', '/api/cached/{p1}', '/legacy/{p1}', '/timed/{p1}'].flatMap(
      (path) => [visit(path), visit(path)],
    ),
  },
  'what lives for seconds': {
    variant: 'components',
    operations: [
      visit('/remote/{brief-a}'),
      wait(2_600),
      visit('/remote/{brief-a}'),
      visit('/remote/{brief-b}'),
      wait(5_600),
      visit('/remote/{brief-b}'),
    ],
  },
}
