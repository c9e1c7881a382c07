// Who is measured inside of Next.js: a build of the store, and how its replicas are started.
//
// build: see builds.mjs. Several share one, since every switch is read when a server starts.

const peer = (name, build, env, more = {}) => ({
  name,
  kind: 'peer',
  build,
  reference: 'strict',
  ...more,
  env: (redisUrl) => ({ REDIS_URL: redisUrl, ...env }),
})

const TURBO = '@trieb.work/nextjs-turbo-redis-cache'
const NOTIFIES = { redis: ['--notify-keyspace-events', 'Exe'] }

export const DEPLOYMENTS = [
  {
    name: 'strict',
    kind: 'ours',
    build: 'ours',
    env: (redisUrl) => ({ REDIS_URL: redisUrl, DISTRIBUTED_CACHE_PRESET: 'strict' }),
  },
  {
    name: 'l1-pubsub',
    kind: 'ours',
    build: 'ours',
    env: (redisUrl) => ({ REDIS_URL: redisUrl, DISTRIBUTED_CACHE_PRESET: 'l1-pubsub' }),
  },
  // Each replica has a disk of its own, as in production: with one they would share their page cache by accident.
  {
    name: 'stock Next.js',
    kind: 'stock',
    build: 'stock',
    reference: 'l1-pubsub',
    ownDisk: true,
    env: () => ({}),
  },
  peer('@leejpsd/nextjs-cache-handler', 'peers', { BENCH_PEER: 'leejpsd' }),
  peer(
    `${TURBO}, L1 off`,
    'turbo',
    { BENCH_PEER: 'turbo', BENCH_L1_MS: '0', VERCEL_ENV: 'production' },
    { ...NOTIFIES, isExtra: true },
  ),
  peer(
    `${TURBO}, L1 on`,
    'turbo',
    { BENCH_PEER: 'turbo', BENCH_L1_MS: '10000', VERCEL_ENV: 'production' },
    { ...NOTIFIES, reference: 'l1-pubsub' },
  ),
  // Pages only: `use cache` stays in the memory of each replica.
  peer('@fortedigital/nextjs-cache-handler', 'peers', { BENCH_PEER: 'fortedigital' }),
  // `use cache` only: pages stay with each replica.
  peer(
    '@mrjasonroy/cache-components-cache-handler',
    'peers',
    { BENCH_PEER: 'mrjasonroy' },
    { ownDisk: true },
  ),
]

/**
 * @param {{ wanted?: string[], quick: boolean }} choice `wanted`: parts of names; ours are always in
 */
export function chosenDeployments({ wanted, quick }) {
  if (wanted === undefined) return DEPLOYMENTS.filter(({ isExtra }) => !(quick && isExtra))
  return DEPLOYMENTS.filter(({ kind, name }) => kind === 'ours' || wanted.some((part) => name.includes(part)))
}
