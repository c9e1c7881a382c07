import { pathTargetsOf, routesOf, tagsOf } from './catalogue.mjs'
import { createRandom } from './random.mjs'

/**
 * @typedef {{ do: 'visit', path: string, as: string }
 *   | { do: 'publish' | 'remove' | 'fail' | 'recover', id: string }
 *   | { do: 'control', request: object }
 *   | { do: 'action', page: string, form: string, fields: Record<string, string> }
 *   | { do: 'legacy', path: string }
 *   | { do: 'image', path: string }
 *   | { do: 'wait', ms: number }} Operation
 */

const PROFILES = [
  undefined,
  undefined,
  'max',
  'max',
  'max',
  { expire: 0 },
  { expire: 2 },
  { expire: 4 },
  'hours',
  'seconds',
]
const FORM_PROFILES = ['max', 'max', 'hours', 'days']
/** Past the life of timed pages; past the retry after a failure and short windows; past all that is brief. */
const WAITS_MS = [2_600, 2_600, 3_800, 5_600]
const IMAGE_WIDTHS = [32, 48, 64, 96, 128, 256, 384, 640]

/**
 * A sequence of operations that is a function of the seed alone. It comes in episodes, each about one or two
 * products and a few routes: what happens must happen to the same few entries to be of interest.
 *
 * @param {{ seed: number, length: number, variant: string }} choice
 * @returns {Operation[]}
 */
export function generate({ seed, length, variant }) {
  const random = createRandom(seed * 7919 + 17)
  const routes = routesOf(variant)
  const operations = []
  let episode = newEpisode(random, routes, 0)
  /** What the origin was told to refuse: somebody has to tell it to stop. */
  const failing = new Set()
  for (let left = episode.length, count = 1; operations.length < length; left--) {
    if (left <= 0) {
      episode = newEpisode(random, routes, count++)
      left = episode.length
    }
    const operation = next(random, routes, variant, episode, failing)
    if (operation.do === 'fail') failing.add(operation.id)
    if (operation.do === 'recover') failing.delete(operation.id)
    operations.push(operation)
  }
  return operations
}

function newEpisode(random, routes, number) {
  const letter = String.fromCharCode('a'.charCodeAt(0) + (number % 26))
  const prerendered = random.chance(number === 0 ? 0.8 : 0.15)
  const ids = prerendered ? [random.pick(['p1', 'p2'])] : [letter]
  // Beyond ASCII: tags travel in headers, and keys need not be valid Unicode.
  if (!prerendered && random.chance(0.1)) ids[0] = `${letter}\u00fc`
  if (random.chance(0.3)) ids.push(`${letter}2`)
  const names = Object.keys(routes)
  const focus = Array.from({ length: 1 + random.integer(3) }, () =>
    random.weighted(names.map((name) => [routes[name].weight, name])),
  )
  const category = prerendered && random.chance(0.8) ? random.pick(['books', 'garden']) : `cat-${letter}`
  return { ids, category, focus, length: 8 + random.integer(14) }
}

function next(random, routes, variant, episode, failing) {
  const name = random.pick(episode.focus)
  const route = routes[name]
  const base = random.pick(episode.ids)
  const isPart = /^p[12]$/.test(base)
  const prefix = isPart ? '' : random.pick(route.prefixes)
  const named = { id: `{${prefix}${base}}`, category: nameOf(episode.category) }
  const place = (template) => template.replace(/\{(id|category)\}/g, (_, part) => named[part])
  // What lives below /shop depends on more than the product.
  const content = name === 'shop' ? random.pick([named.id, named.id, named.category, 'shop']) : named.id
  const tag = () =>
    place(random.pick(name === 'shop' ? ['content:{id}', 'category:{category}', 'shop'] : tagsOf(variant)))
  const target = () => {
    const targets = pathTargetsOf(variant)
    const { path, type } = random.chance(0.6) ? { path: route.path } : random.pick(targets)
    return { path: place(path), type }
  }
  return random.weighted([
    [56, () => ({ do: 'visit', path: place(route.path), as: viewOf(random, route) })],
    [12, () => ({ do: 'publish', id: content })],
    [
      10,
      () => ({
        do: 'control',
        request: compact({ action: 'revalidateTag', tag: tag(), profile: random.pick(PROFILES) }),
      }),
    ],
    [4, () => ({ do: 'control', request: compact({ action: 'revalidatePath', ...target() }) })],
    [2, () => ({ do: 'action', page: `/actions/${named.id}`, form: 'updateTag', fields: { tag: tag() } })],
    [
      1,
      () => ({
        do: 'action',
        page: `/actions/${named.id}`,
        form: 'revalidateTag',
        fields: { tag: tag(), profile: random.pick(FORM_PROFILES) },
      }),
    ],
    [
      1,
      () => ({
        do: 'action',
        page: `/actions/${named.id}`,
        form: 'revalidatePath',
        fields: { path: target().path },
      }),
    ],
    [name === 'legacy' ? 8 : 0, () => ({ do: 'legacy', path: place(route.path) })],
    [2, () => ({ do: 'remove', id: content })],
    [2, () => ({ do: 'fail', id: content })],
    [failing.size * 8, () => ({ do: 'recover', id: random.pick([...failing]) })],
    [4, () => ({ do: 'wait', ms: random.pick(WAITS_MS) })],
    [0.7, () => ({ do: 'image', path: `/_next/image?url=%2Fshelf.png&w=${random.pick(IMAGE_WIDTHS)}&q=75` })],
  ])()
}

function viewOf(random, { views }) {
  return views[0] !== 'html' || random.chance(0.8) ? 'html' : random.pick(views)
}

/** Real names need no stand-in. */
function nameOf(category) {
  return ['books', 'garden'].includes(category) ? category : `{${category}}`
}

function compact(object) {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
}
