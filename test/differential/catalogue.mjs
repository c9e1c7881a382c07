// What the store offers to a visitor, per variant: examples/store/README.md as data.
//
// `{a}` stands for an id. The runner fills in a different one for each attempt, so that a sequence starts
// on untouched ground without a restart; `{books}` and other names without a letter of their own are real.

/** Kinds of id a route knows: `absent-a` does not exist until published, `moved-a` redirects, `brief-a` lives for seconds. */
const PLAIN = ['']

/**
 * @typedef {object} Route
 * @property {string} path with `{id}` (and `{category}`)
 * @property {string[]} prefixes of ids
 * @property {('html' | 'rsc' | 'prefetch' | 'segment' | 'draft')[]} views
 * @property {boolean} [prerendered] whether p1 and p2 are part of the build
 * @property {number} weight
 */

/** @returns {Record<string, Route>} */
export function routesOf(variant) {
  const page = { prefixes: PLAIN, views: ['html', 'rsc', 'rsc', 'prefetch', 'segment', 'draft'], weight: 2 }
  const dynamic = { ...page, views: ['html', 'rsc', 'prefetch'] }
  const json = { ...page, views: ['html'] }
  const common = {
    isr: {
      ...page,
      path: '/isr/{id}',
      prefixes: ['', '', '', 'absent-', 'moved-'],
      prerendered: true,
      weight: 5,
    },
    timed: { ...page, path: '/timed/{id}', prerendered: true, weight: 3 },
    plain: { ...page, path: '/plain/{id}', prerendered: true },
    shop: { ...page, path: '/shop/{category}/{id}', prerendered: true, weight: 4 },
    fetch: { ...dynamic, path: '/fetch/{id}', weight: 3 },
    memo: { ...dynamic, path: '/memo/{id}', weight: 3 },
    actions: { ...dynamic, path: '/actions/{id}' },
    legacy: {
      ...page,
      path: '/legacy/{id}',
      prefixes: ['', '', 'absent-', 'moved-', 'brief-'],
      views: ['html', 'html', 'draft'],
      prerendered: true,
      weight: 4,
    },
    cached: {
      ...json,
      path: '/api/cached/{id}',
      prefixes: ['', '', 'absent-'],
      prerendered: true,
      weight: 4,
    },
  }
  if (variant === 'classic')
    return {
      ...common,
      forever: { ...page, path: '/forever/{id}', prerendered: true, weight: 4 },
      edge: { ...json, path: '/edge/{id}', weight: 0.3 },
      apiEdge: { ...json, path: '/api/edge/{id}', weight: 0.3 },
    }
  return {
    ...common,
    local: { ...dynamic, path: '/local/{id}', weight: 4 },
    remote: { ...dynamic, path: '/remote/{id}', prefixes: ['', '', 'brief-'], weight: 4 },
    nested: { ...dynamic, path: '/nested/{id}', weight: 4 },
    ppr: { ...page, path: '/ppr/{id}', prerendered: true, weight: 4 },
  }
}

export function tagsOf(variant) {
  const common = ['content:{id}', 'content:{id}', 'content:{id}', 'products', 'shop', 'category:{category}']
  return variant === 'classic' ? common : [...common, 'inner:{id}', 'outer:{id}']
}

/** Every way to name a path: one page, a page's pattern, a layout with all that is below it. */
export function pathTargetsOf(variant) {
  const routes = routesOf(variant)
  const leaves = Object.values(routes)
    .filter(({ weight }) => weight >= 1)
    .map(({ path }) => ({ path }))
  return [
    ...leaves,
    { path: '/shop/{category}/{id}', type: 'page' },
    { path: '/isr/[id]', type: 'page' },
    { path: '/shop/[category]/[id]', type: 'page' },
    { path: '/shop/[category]', type: 'layout' },
    { path: '/shop/{category}', type: 'layout' },
    { path: '/shop', type: 'layout' },
    { path: '/', type: 'layout' },
    { path: '/' },
  ]
}

/**
 * Seconds after which what a reader was told changes its verdict by time alone: no request is sent near such
 * a moment, since two servers need not agree on which side of it they are.
 */
export function limitsOf(reader, id) {
  if (reader === 'timed') return [2]
  if (reader === 'legacy' && id.startsWith('brief-')) return [2]
  if (reader === 'remote' && id.startsWith('brief-')) return [2, 5]
  return []
}

/** After a failed refresh Next keeps the previous value for so long. */
export const RETRY_SECONDS = [3, 30]

/** `expire` of Next's built-in cache profiles, where a sequence could live to see it [s]. */
export const PROFILE_SECONDS = { seconds: 60 }

/** The tags of whatever is shown at a path, as far as the store gives them. */
function tagsAt(path) {
  const [, route, ...rest] = path.split('/')
  const id = rest.at(-1)
  const own = {
    isr: [`content:${id}`, 'products'],
    shop: [`content:${id}`, 'shop', `category:${rest[0]}`],
    timed: [],
    plain: [],
    legacy: [],
    nested: [`content:${id}`, `inner:${id}`, `outer:${id}`],
  }
  return own[route] ?? [`content:${id}`]
}

/** Whether `revalidateTag(tag)` or `revalidatePath(target)` has to do with what is shown at a path. */
export function touches({ tag, target, type }, path) {
  if (tag !== undefined) return tagsAt(path).includes(tag)
  if (type === 'layout')
    return target === '/' || `${path}/`.startsWith(`${target.replace(/\[.*$/, '')}/`.replace('//', '/'))
  const pattern = target.replace(/\[[^\]]*\]/g, '[^/]*')
  return new RegExp(`^${pattern}$`).test(path)
}
