// Who is measured. A subject is one way to cache: a package with its settings, or a limit that none can pass.
//
// kind: `ours`, `peer`, `stock` (Next.js alone), `limit` (the bare driver), `contract` (what no handler can leave out).
// apis: which of Next's two interfaces it serves.
// l1: whether it serves from local memory; undefined where that is no question.
// module: file beside this one; its `open(options)` returns the handlers.

const ours = (name, preset, driver, more = {}) => ({
  name,
  kind: 'ours',
  apis: ['use cache', 'cacheHandler'],
  l1: preset === 'l1-pubsub',
  module: './ours.mjs',
  settings: { preset, driver, ...more },
})

const limit = (name, kind, driver) => ({
  name,
  kind,
  apis: ['use cache', 'cacheHandler'],
  l1: false,
  module: kind === 'limit' ? './bare-driver.mjs' : './contract.mjs',
  settings: { driver },
})

/** @type {Subject[]} */
export const SUBJECTS = [
  ours('strict, ioredis', 'strict', 'ioredis'),
  ours('strict, redis', 'strict', 'redis'),
  // A read that has to carry the body: nothing of it is held. Only for that row.
  { ...ours('strict, ioredis, nothing held', 'strict', 'ioredis', { heldBytes: 0 }), bodyIsRead: true },
  { ...ours('strict, redis, nothing held', 'strict', 'redis', { heldBytes: 0 }), bodyIsRead: true },
  ours('l1-pubsub, ioredis', 'l1-pubsub', 'ioredis'),
  ours('l1-pubsub, redis', 'l1-pubsub', 'redis'),
  limit('limit: GET and SET of ioredis', 'limit', 'ioredis'),
  limit('limit: GET and SET of redis', 'limit', 'redis'),
  limit('contract alone, ioredis', 'contract', 'ioredis'),
  limit('contract alone, redis', 'contract', 'redis'),
  {
    name: 'Next.js in memory',
    kind: 'stock',
    apis: ['use cache', 'cacheHandler'],
    l1: true,
    module: './next-memory.mjs',
    settings: {},
  },
  {
    name: '@leejpsd/nextjs-cache-handler',
    kind: 'peer',
    apis: ['use cache', 'cacheHandler'],
    l1: false,
    module: './leejpsd.mjs',
    settings: {},
  },
  {
    name: '@trieb.work/nextjs-turbo-redis-cache, L1 off',
    kind: 'peer',
    apis: ['use cache', 'cacheHandler'],
    l1: false,
    module: './trieb-work.mjs',
    settings: { inMemoryCachingTime: 0 },
    redis: ['--notify-keyspace-events', 'Exe'],
  },
  {
    name: '@trieb.work/nextjs-turbo-redis-cache, L1 on',
    kind: 'peer',
    apis: ['use cache', 'cacheHandler'],
    l1: true,
    module: './trieb-work.mjs',
    // The default of ten seconds, made long enough that nothing falls out within a repetition.
    settings: { inMemoryCachingTime: 600_000 },
    redis: ['--notify-keyspace-events', 'Exe'],
  },
  {
    name: '@fortedigital/nextjs-cache-handler',
    kind: 'peer',
    apis: ['cacheHandler'],
    l1: false,
    module: './fortedigital.mjs',
    settings: {},
  },
  {
    name: '@mrjasonroy/cache-components-cache-handler',
    kind: 'peer',
    // Its class for `cacheHandler` is not in its README, and gives the data of a page back as JSON, not as bytes.
    apis: ['use cache'],
    l1: false,
    module: './mrjasonroy.mjs',
    settings: {},
  },
]

/** Ours are what the others are compared with. @param {string[]} [wanted] parts of names */
export function chosenSubjects(wanted) {
  return SUBJECTS.filter(
    ({ kind, name }) => kind === 'ours' || wanted === undefined || wanted.some((part) => name.includes(part)),
  )
}

/** Which of ours a subject is compared with in a cell: the same driver where it has one. */
export function referenceOf(subject, cell) {
  const driver = subject.settings.driver ?? 'ioredis'
  if (cell.op === 'L1 hit') return `l1-pubsub, ${driver}`
  return cell.op === 'read hit' ? `strict, ${driver}, nothing held` : `strict, ${driver}`
}

/** Whether a subject has something to show in a cell. */
export function takesPart(subject, cell) {
  if (!subject.apis.includes(cell.api)) return false
  if (cell.op === 'L1 hit') return subject.l1 === true
  if (subject.kind === 'stock') return false
  if (subject.kind === 'limit' && cell.op === 'invalidate') return false
  if (subject.l1 !== false) return false
  if (subject.kind === 'contract') return cell.op === 'read hit' && cell.network === 'loopback'
  if (subject.kind === 'ours') return (subject.bodyIsRead === true) === (cell.op === 'read hit')
  return true
}

/**
 * @typedef {object} Subject
 * @property {string} name
 * @property {'ours' | 'peer' | 'stock' | 'limit' | 'contract'} kind
 * @property {string[]} apis
 * @property {boolean} l1
 * @property {string} module
 * @property {Record<string, unknown>} settings
 * @property {boolean} [bodyIsRead]
 * @property {string[]} [redis] arguments of its Redis server
 */
