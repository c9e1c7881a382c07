// Drives both sides through one sequence, in step, and notes where they part.
import { createBoundaries } from './boundaries.mjs'
import { limitsOf } from './catalogue.mjs'
import { createHistory, invalidationOf } from './history.mjs'
import { createMemory, differencesOf } from './compare.mjs'
import { createNames } from './names.mjs'

/**
 * @typedef {object} Step
 * @property {import('./generate.mjs').Operation} operation
 * @property {object} [stock] what its visitor saw
 * @property {object} [ours]
 * @property {string[]} differences
 * @property {Record<string, string>} [circumstances] what rules are matched against
 * @property {string} [deviation] id of the rule that allows the differences
 * @property {number} from when it began [ms]
 */

/**
 * @param {object} choice
 * @param {{ stock: object, ours: object }} choice.sides
 * @param {import('./generate.mjs').Operation[]} choice.operations
 * @param {string} choice.attempt names this run: part of every id
 * @param {Record<string, string>} choice.cell
 * @param {(circumstances: Record<string, string>) => string | undefined} choice.deviationOf
 * @param {(step: Step) => boolean} [choice.isEnough] ends the run early
 * @returns {Promise<Step[]>}
 */
export async function runSequence({ sides, operations, attempt, cell, deviationOf, isEnough = () => false }) {
  const both = [sides.stock, sides.ours]
  const names = createNames(attempt)
  const boundaries = createBoundaries()
  const memories = both.map(createMemory)
  const history = createHistory()
  const failing = new Set()
  let counts = await Promise.all(both.map((side) => side.counts()))
  const steps = []

  for (const operation of operations) {
    const subject = names.fillPath(operation.path ?? operation.page ?? '')
    const ids = [...names.idsIn(JSON.stringify(operation)), 'shop', ...subject.split('/').slice(-2)]
    if (subject) await boundaries.untilClear(ids)

    const from = performance.now()
    const seen = await Promise.all(both.map((side) => timed(() => perform(side, operation, names, subject))))
    await Promise.all(both.map((side) => side.untilQuiet()))
    const during = { from, to: performance.now() }

    const described = seen.map(
      (observation, index) => observation && memories[index].describe(subject, observation),
    )
    const [stock, ours] = described
    const differences = stock ? differencesOf(stock, ours) : []
    const step = { operation, stock, ours, differences, from }
    steps.push(step)

    const before = counts
    counts = await Promise.all(both.map((side) => side.counts()))
    const asked = both.map((_, side) => askedBetween(before[side], counts[side]))
    // A render that was refused its content came to nothing, and leaves what was there before.
    const failed = asked.map((own) => own.some(({ id }) => failing.has(id)))
    for (const { reader, id } of asked.flat()) {
      boundaries.rendered(reader, id, during)
      if (failing.has(id)) boundaries.failed(id, during)
    }
    if (operation.do === 'fail') failing.add(names.fill(operation.id))
    if (operation.do === 'recover') failing.delete(names.fill(operation.id))

    if (differences.length > 0) {
      step.circumstances = {
        ...cell,
        ...circumstancesOf(operation, step),
        prerendered: String(isPrerendered(subject)),
        visits: String(history.visitsOf(decodeURIComponent(subject))),
        'route-visits': String(history.visitsOf(routeOf(operation))),
        history: history.of(decodeURIComponent(subject)),
      }
      step.deviation = deviationOf(step.circumstances)
    }
    note(
      history,
      names.fillAll(operation),
      decodeURIComponent(subject),
      routeOf(operation),
      step,
      asked,
      failed,
    )
    boundaries.softened(operation.request?.profile ?? operation.fields?.profile, during)
    if (differences.length > 0) {
      if (isEnough(step)) break
      await reconcile(both, operation, names, subject, history)
      for (const memory of memories) memory.forget(subject)
      counts = await Promise.all(both.map((side) => side.counts()))
    }
  }
  return steps
}

async function timed(act) {
  const startedAt = performance.now()
  const observation = await act()
  return observation && { ...observation, ms: Math.round(performance.now() - startedAt) }
}

async function perform(side, operation, names, subject) {
  switch (operation.do) {
    case 'visit':
      return side.visit(subject, operation.as)
    case 'image':
      return side.image(operation.path)
    case 'control':
      return side.control(names.fillAll(operation.request))
    case 'action':
      return side.action(subject, operation.form, names.fillAll(operation.fields))
    case 'legacy':
      return side.legacy(subject)
    case 'publish':
      return void (await side.origin.publish(names.fill(operation.id)))
    case 'remove':
      return void (await side.origin.remove(names.fill(operation.id)))
    case 'fail':
      return void (await side.origin.fail(names.fill(operation.id), 500))
    case 'recover':
      return void (await side.origin.fail(names.fill(operation.id), 200))
    case 'wait':
      // Both sides wait the same time: only one of them keeps it.
      return void (
        side.name === 'stock' && (await new Promise((resolve) => setTimeout(resolve, operation.ms)))
      )
  }
  throw new Error(`Nobody knows how to ${operation.do}`)
}

/** Who asked an origin, and for what. */
function askedBetween(before, after) {
  return Object.keys(after)
    .filter((key) => after[key] !== before[key])
    .map((key) => {
      const space = key.indexOf(' ')
      return { reader: key.slice(0, space), id: key.slice(space + 1) }
    })
}

function note(history, operation, path, route, { stock, ours }, asked, failed) {
  const invalidation = invalidationOf(operation)
  if (invalidation) history.invalidated(invalidation)
  // What a draft shows is rendered for it alone: nothing is kept, nor looked up.
  if (path === '' || operation.as === 'draft') return
  const isPrefetch = operation.as === 'prefetch' || operation.as === 'segment'
  // A prefetch of an old page leaves the refresh to whoever visits it.
  const renders = isPrefetch ? ['MISS', 'REVALIDATED'] : ['MISS', 'STALE', 'REVALIDATED']
  const [byStock, byOurs] = [stock, ours].map(
    ({ cache }, side) =>
      !failed[side] && (renders.includes(cache) || operation.do === 'legacy' || asked[side].length > 0),
  )
  for (const { reader, id } of asked.flat())
    for (const seconds of limitsOf(reader, id)) history.ages(path, seconds)
  if (byStock || byOurs)
    history.rendered(path, byStock && byOurs ? 'render' : byStock ? 'stock-render' : 'ours-render')
  history.visited(path)
  if (isPrefetch) history.visited(route)
}

function circumstancesOf(operation, { stock, ours, differences }) {
  return {
    do: operation.do,
    as: operation.as ?? '',
    route: routeOf(operation),
    differs: [...new Set(differences.map((name) => name.split(':')[0]))].sort().join(' '),
    'stock.cache': String(stock.cache),
    'ours.cache': String(ours.cache),
    'stock.status': String(stock.status),
    'ours.status': String(ours.status),
    newer: newerOf(stock, ours),
  }
}

function routeOf({ path, page }) {
  return (path ?? page ?? '').replace(/\{[^}]*\}/g, '*')
}

/** Which side showed the newer content. */
function newerOf(stock, ours) {
  const sides = new Set()
  for (const [reader, fact] of Object.entries(stock.facts)) {
    const other = ours.facts[reader]
    if (other && other.version !== fact.version) sides.add(other.version > fact.version ? 'ours' : 'stock')
  }
  return sides.size === 2 ? 'mixed' : ([...sides][0] ?? 'none')
}

function isPrerendered(path) {
  return /^\/(isr|timed|plain|forever|ppr|legacy|api\/cached)\/p[12]$|^\/shop\/(books|garden)\/p1$|^\/$/.test(
    path,
  )
}

/** Brings both sides to the same state again after they parted: new names, or everything rendered anew. */
async function reconcile(both, operation, names, subject, history) {
  const renewed = names.renew(operation.path ?? operation.page ?? '')
  if (subject.startsWith('/shop'))
    await invalidateAll(both, ['shop', 'category:books', 'category:garden'], [], history)
  if (renewed || !subject || operation.do === 'image') return
  const id = decodeURIComponent(subject.split('/').at(-1))
  await Promise.all(both.map((side) => side.origin.fail(id, 200)))
  await Promise.all(both.map((side) => side.origin.publish(id)))
  await invalidateAll(both, [`content:${id}`], [subject], history)
  for (const side of both)
    if (subject.startsWith('/legacy')) await side.legacy(subject)
    else await side.visit(subject, 'html')
  await Promise.all(both.map((side) => side.untilQuiet()))
}

/** Begins an attempt on servers that have already seen others. */
export async function startOver(sides) {
  const both = [sides.stock, sides.ours]
  await Promise.all(both.map((side) => side.origin.reset()))
  await invalidateAll(both, ['shop', 'products', 'category:books', 'category:garden'])
  await Promise.all(both.map((side) => side.control({ action: 'revalidatePath', path: '/', type: 'layout' })))
  await Promise.all(both.map((side) => side.untilQuiet()))
}

async function invalidateAll(both, tags, paths = [], history) {
  const invalidations = [...tags.map((tag) => ({ tag })), ...paths.map((target) => ({ target }))]
  for (const invalidation of invalidations) {
    const { tag, target } = invalidation
    const request = tag ? { action: 'revalidateTag', tag } : { action: 'revalidatePath', path: target }
    for (const side of both) await side.control(request)
    history?.invalidated(invalidation)
  }
  for (const side of both) await side.untilQuiet()
}
