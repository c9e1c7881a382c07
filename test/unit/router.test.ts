import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NextConfig } from 'next'
import { beforeEach, describe, expect, it } from 'vitest'
import type { DistributedCacheOptions } from '../../src/options'
import {
  copyPackage,
  createProject,
  dist,
  materialize,
  repository,
  withDistributedCache,
  withVariables,
} from './plugin-support'

const URL_WITH_SECRET = 'redis://user:hunter22@127.0.0.1:1/0'
const KEY_WITH_SECRET = Buffer.alloc(32, 'hunter22').toString('base64')

/** A build output with a router in it, as `next build` leaves it. */
async function built(
  config: NextConfig = {},
  options: DistributedCacheOptions = {},
  files: Record<string, string> = {},
): Promise<string> {
  const project = createProject({
    'package.json': '{"name":"shop"}',
    '.next/BUILD_ID': 'build-1\n',
    ...files,
  })
  const { compiler } = await materialize(
    withDistributedCache(() => config, options),
    'phase-production-server',
  )
  await compiler!.runAfterProductionCompile!({ projectDir: project, distDir: join(project, '.next') })
  return project
}

interface Outcome {
  mode: string
  lines: string[]
  result: unknown
}

/** Loads the entries in a process of their own, as a server would, and reports what was decided and printed. */
function serve(
  directory: string,
  variables: Record<string, string | undefined>,
  body = '',
  packageDist = dist,
  driver = 'ioredis',
): Outcome {
  const script = `
    const entry = (name) => require(${JSON.stringify(join(packageDist, 'runtime', 'entries'))} + '/' + name + '.js')
    const CacheHandler = entry('cache-handler-${driver}')
    const useCacheDefault = entry('use-cache-default-${driver}')
    const useCacheRemote = entry('use-cache-remote-${driver}')
    const decision = globalThis[Symbol.for('next-distributed-cache.decision')]
    const nextTurn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    ;(async () => {
      const result = await (async () => { ${body} })()
      // What was decided is final after a turn.
      await nextTurn()
      const { mode } = decision
      console.log('OUTCOME ' + JSON.stringify({ mode, result, kind: typeof CacheHandler, get: typeof useCacheDefault.get }))
      process.exit(0)
    })().catch((error) => { console.log('FAILED ' + error.stack); process.exit(1) })`
  const child = spawnSync(process.execPath, ['-e', script], {
    cwd: directory,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', ...variables } as NodeJS.ProcessEnv,
  })
  const lines = `${child.stdout}${child.stderr}`.split('\n').filter((line) => line !== '')
  const outcome = lines.find((line) => line.startsWith('OUTCOME '))
  expect(outcome, lines.join('\n')).toBeDefined()
  const { mode, result, kind, get } = JSON.parse(outcome!.slice('OUTCOME '.length))
  // Whatever happens, Next gets handlers that it can use, and nobody gets to read the password.
  expect([kind, get]).toEqual(['function', 'function'])
  expect(lines.join('\n')).not.toContain('hunter22')
  expect(lines.join('\n')).not.toContain(KEY_WITH_SECRET.slice(1, 20))
  // The runtime's own lines, about its connection and the like, are not the router's.
  const ofRuntime = /connection|not available in this version/
  return { mode, result, lines: lines.filter((line) => line !== outcome && !ofRuntime.test(line)) }
}

beforeEach(() => withVariables({ NODE_ENV: 'production', DISTRIBUTED_CACHE: undefined }))

describe('the decision', () => {
  const on =
    /^\[next-distributed-cache\] on: strict preset, ioredis to redis:\/\/user:\*\*\*@127\.0\.0\.1:1\/0, keys ndc:shop, namespace build-1 \(BUILD_ID\)$/
  const alone = /Serving with the cache handlers of Next\.js alone: this replica shares nothing\.$/

  it.each<[string, Record<string, string | undefined>, string, RegExp | undefined]>([
    ['a URL', { REDIS_URL: URL_WITH_SECRET }, 'runtime', on],
    ['on and a URL', { DISTRIBUTED_CACHE: 'on', DISTRIBUTED_CACHE_URL: URL_WITH_SECRET }, 'runtime', on],
    [
      'the own URL wins',
      { DISTRIBUTED_CACHE_URL: URL_WITH_SECRET, REDIS_URL: 'redis://other:6379' },
      'runtime',
      on,
    ],
    [
      'the preset of the environment',
      { REDIS_URL: URL_WITH_SECRET, DISTRIBUTED_CACHE_PRESET: 'l1-pubsub' },
      'runtime',
      /on: l1-pubsub preset/,
    ],
    ['no URL', {}, 'stock', /neither DISTRIBUTED_CACHE_URL nor REDIS_URL is set\..+alone/],
    ['on, no URL', { DISTRIBUTED_CACHE: 'on' }, 'stock', /neither DISTRIBUTED_CACHE_URL nor REDIS_URL/],
    [
      'off',
      { DISTRIBUTED_CACHE: 'off' },
      'stock',
      /^\[next-distributed-cache\] off \(DISTRIBUTED_CACHE=off\): the cache handlers of Next\.js$/,
    ],
    [
      'off with a URL',
      { DISTRIBUTED_CACHE: 'off', REDIS_URL: URL_WITH_SECRET },
      'stock',
      /off.+; invalidations are forwarded to redis:\/\/user:\*\*\*@127\.0\.0\.1:1\/0$/,
    ],
    ['next dev', { NODE_ENV: 'development', REDIS_URL: URL_WITH_SECRET }, 'stock', undefined],
    [
      'next dev, on',
      { NODE_ENV: 'development', DISTRIBUTED_CACHE: 'on', REDIS_URL: URL_WITH_SECRET },
      'runtime',
      on,
    ],
    ['an invalid switch', { DISTRIBUTED_CACHE: 'yes', REDIS_URL: URL_WITH_SECRET }, 'stock', alone],
    [
      'an invalid URL',
      { REDIS_URL: 'http://:hunter22@host' },
      'stock',
      /REDIS_URL is not a Redis URL.+alone/,
    ],
    ['an unreadable URL', { REDIS_URL: 'redis://:hunter22@host:notaport' }, 'stock', alone],
    [
      'an invalid preset',
      { REDIS_URL: URL_WITH_SECRET, DISTRIBUTED_CACHE_PRESET: 'fast' },
      'stock',
      /PRESET is "fast"/,
    ],
    [
      'keys',
      { REDIS_URL: URL_WITH_SECRET, DISTRIBUTED_CACHE_ENCRYPTION_KEYS: `a:${KEY_WITH_SECRET}` },
      'runtime',
      /on: .+\(BUILD_ID\), entries encrypted$/,
    ],
    [
      'an invalid key',
      { REDIS_URL: URL_WITH_SECRET, DISTRIBUTED_CACHE_ENCRYPTION_KEYS: `a:${KEY_WITH_SECRET.slice(1)}` },
      'stock',
      /off: Key 1 in DISTRIBUTED_CACHE_ENCRYPTION_KEYS is not 32 bytes in base64\..+alone/,
    ],
    [
      'a cluster',
      { REDIS_URL: `${URL_WITH_SECRET},redis://127.0.0.1:2`, DISTRIBUTED_CACHE_TOPOLOGY: 'cluster' },
      'runtime',
      /ioredis to redis:\/\/user:\*\*\*@127\.0\.0\.1:1\/0,redis:\/\/127\.0\.0\.1:2 \(cluster\), keys/,
    ],
    [
      'sentinels without a name for the primary',
      { REDIS_URL: URL_WITH_SECRET, DISTRIBUTED_CACHE_TOPOLOGY: 'sentinel' },
      'stock',
      /off: REDIS_URL does not name the primary.+alone/,
    ],
    [
      'next build',
      { NEXT_PHASE: 'phase-production-build', REDIS_URL: URL_WITH_SECRET },
      'runtime',
      undefined,
    ],
    [
      'next build, off',
      { NEXT_PHASE: 'phase-production-build', DISTRIBUTED_CACHE: 'off' },
      'runtime',
      undefined,
    ],
  ])('%s', async (_name, variables, mode, line) => {
    const outcome = serve(await built(), variables)
    expect(outcome.mode).toBe(mode)
    expect(outcome.lines).toEqual(line === undefined ? [] : [expect.stringMatching(line)])
  })

  it('is not baked: no secret of the environment of the build is in what the build wrote', async () => {
    withVariables({
      REDIS_URL: URL_WITH_SECRET,
      DISTRIBUTED_CACHE_ENCRYPTION_KEYS: `a:${KEY_WITH_SECRET}`,
    })
    const project = await built()
    const written = readdirSync(project, { recursive: true, encoding: 'utf8', withFileTypes: true })
      .filter((file) => file.isFile())
      .map((file) => readFileSync(join(file.parentPath, file.name), 'utf8'))
    expect(written.some((text) => text.includes('keyPrefix'))).toBe(true)
    for (const text of written) {
      expect(text).not.toContain('hunter22')
      expect(text).not.toContain(KEY_WITH_SECRET.slice(0, 20))
    }
  })

  it('is made once per process, however often the entries are loaded', async () => {
    const outcome = serve(
      await built(),
      { REDIS_URL: URL_WITH_SECRET },
      `const first = { CacheHandler, useCacheRemote }
       for (const path of Object.keys(require.cache)) delete require.cache[path]
       return entry('cache-handler-ioredis') === first.CacheHandler
         && entry('use-cache-remote-redis') === first.useCacheRemote
         && useCacheDefault === useCacheRemote`,
    )
    expect(outcome).toMatchObject({ result: true, lines: { length: 1 } })
  })
})

describe('the namespace', () => {
  const namespaceOf = ({ lines }: Outcome) => /namespace (.+)$/.exec(lines[0] ?? '')?.[1]
  const on = { REDIS_URL: URL_WITH_SECRET }

  it.each<[string, DistributedCacheOptions, Record<string, string>, string]>([
    ['the environment first', { namespace: 'option' }, { DISTRIBUTED_CACHE_NAMESPACE: 'blue' }, 'blue'],
    ['then the option', { namespace: 'option' }, { NEXT_DEPLOYMENT_ID: 'dpl_1' }, 'option (option)'],
    ['then the deployment id', {}, { NEXT_DEPLOYMENT_ID: 'dpl_1' }, 'dpl_1 (deployment id)'],
    ['then BUILD_ID', {}, { NEXT_DEPLOYMENT_ID: '' }, 'build-1 (BUILD_ID)'],
  ])('%s', async (_name, options, variables, expected) => {
    expect(namespaceOf(serve(await built({}, options), { ...on, ...variables }))).toContain(expected)
  })

  it('without any, this replica keeps to itself', async () => {
    const project = await built()
    rmSync(join(project, '.next', 'BUILD_ID'))
    const outcome = serve(project, on)
    expect(outcome.mode).toBe('stock')
    expect(outcome.lines).toEqual([expect.stringContaining('neither a deployment id nor a BUILD_ID file')])
  })
})

describe('what is missing does not take the site down', () => {
  it('the router', () => {
    const outcome = serve(createProject({}), { REDIS_URL: URL_WITH_SECRET })
    expect(outcome.mode).toBe('stock')
    expect(outcome.lines).toEqual([expect.stringMatching(/router\.cjs\) is not in the build output below/)])
  })

  it('a router that throws', async () => {
    const project = await built()
    writeFileSync(join(project, '.next/distributed-cache/router.cjs'), 'throw new Error("broken")')
    const outcome = serve(project, { REDIS_URL: URL_WITH_SECRET })
    expect(outcome.mode).toBe('stock')
    expect(outcome.lines).toEqual([expect.stringMatching(/cannot be loaded: broken\./)])
  })

  it('the driver', async () => {
    const elsewhere = createProject({}, ['next', 'react', 'react-dom'])
    const packageDirectory = join(elsewhere, 'node_modules', 'next-distributed-cache')
    copyPackage(packageDirectory)
    const outcome = serve(await built(), { REDIS_URL: URL_WITH_SECRET }, '', join(packageDirectory, 'dist'))
    expect(outcome.mode).toBe('stock')
    expect(outcome.lines).toEqual([
      expect.stringMatching(/off: Cannot find module 'ioredis'; install it where the server runs.+alone/),
    ])
    const off = serve(
      await built(),
      { REDIS_URL: URL_WITH_SECRET, DISTRIBUTED_CACHE: 'off' },
      '',
      join(packageDirectory, 'dist'),
    )
    expect(off.lines).toEqual([
      expect.stringMatching(/invalidations are not forwarded: Cannot find module 'ioredis'; install/),
    ])
  })
})

describe.each(['ioredis', 'redis'])('%s is installed and cannot be loaded', (driver) => {
  const on = { REDIS_URL: URL_WITH_SECRET }
  const context = `{ fs: require('node:fs').promises, flushToDisk: false, serverDistDir: '/nowhere/server', revalidatedTags: [] }`
  const fetchEntry = `{ kind: 'FETCH', data: { headers: {}, body: 'b', url: 'u' }, revalidate: 60, tags: ['t'] }`
  const useCacheEntry = `Promise.resolve({ value: new Response('cached').body, tags: [], stale: 60, timestamp: Date.now(), expire: 3600, revalidate: 60 })`
  /** What a runtime would leave behind, and what keeps a process. */
  const remains = `[globalThis[Symbol.for('next-distributed-cache.runtime')] === undefined, process.listenerCount('SIGTERM'),
    process.getActiveResourcesInfo().filter((kind) => /Timeout|TCP/.test(kind))]`
  const nothing = [true, 0, []]

  /** The package where the driver is what is given. */
  function withDriver(source: string): string {
    const elsewhere = createProject({ [`node_modules/${driver}/index.js`]: source }, [
      'next',
      'react',
      'react-dom',
    ])
    const packageDirectory = join(elsewhere, 'node_modules', 'next-distributed-cache')
    copyPackage(packageDirectory)
    return join(packageDirectory, 'dist')
  }

  const line = (reason: string) =>
    expect.stringMatching(
      new RegExp(`^\\[next-distributed-cache\\] off: ${reason}.*alone: this replica shares nothing\\.$`),
    ) as string

  it.each([
    ['throws', `throw new Error('no luck with ${URL_WITH_SECRET}\\n  at x')`, 'no luck with'],
    ['lacks what it needs', `require('denque')`, "Cannot find module 'denque'; install it"],
  ])(
    '%s: what was called before it was known, and after, is served by Next',
    async (_name, source, reason) => {
      const { mode, lines, result } = serve(
        await built(),
        on,
        `const first = new CacheHandler(${context})
       first.resetRequestCache()
       const early = [
         first.get('key', { kind: 'FETCH', tags: [], softTags: [] }), first.set('key', ${fetchEntry}, { fetchCache: true, tags: [] }),
         first.revalidateTag('other'), useCacheDefault.get('key', []), useCacheDefault.refreshTags(),
         useCacheDefault.getExpiration(['t']), useCacheRemote.updateTags(['other']), useCacheDefault.set('key', ${useCacheEntry}),
       ]
       const answers = await Promise.all(early)
       const second = new CacheHandler(${context})
       const hit = await second.get('key', { kind: 'FETCH', tags: [], softTags: [] })
       const again = await first.get('key', { kind: 'FETCH', tags: [], softTags: [] })
       const cached = await useCacheRemote.get('key', [])
       await second.revalidateTag(['t'])
       return [answers[0], answers[3] ?? null, hit?.value.data.body, again?.value.data.body, await new Response(cached.value).text(), ${remains}]`,
        withDriver(source),
        driver,
      )
      expect(mode).toBe('stock')
      expect(lines).toEqual([line(reason)])
      expect(result).toEqual([null, null, 'b', 'b', 'cached', nothing])
    },
  )

  it('is not tried again, and nothing else is said', async () => {
    const { lines, result } = serve(
      await built(),
      on,
      `await new Promise((resolve) => setTimeout(resolve, 300))
       await new CacheHandler(${context}).revalidateTag('t')
       return globalThis.tries`,
      withDriver(`globalThis.tries = (globalThis.tries ?? 0) + 1; throw new Error('no luck')`),
      driver,
    )
    expect(lines).toEqual([line('no luck\\.')])
    expect(result).toBe(1)
  })

  it('keeps no process', async () => {
    const entry = join(
      withDriver(`throw new Error('no luck')`),
      'runtime',
      'entries',
      `cache-handler-${driver}.js`,
    )
    const { status, stderr } = spawnSync(process.execPath, [entry], {
      cwd: await built(),
      encoding: 'utf8',
      timeout: 5_000,
      env: { NODE_ENV: 'production', ...on },
    })
    expect(status).toBe(0)
    expect(stderr.trimEnd()).toEqual(line('no luck\\.'))
  })

  it('the handlers of the application serve, where it had some', async () => {
    const files = {
      'cache-handler.cjs': `module.exports = class Mine { async get() { return 'mine' } async set() {} async revalidateTag() {} resetRequestCache() {} }`,
      'use-cache.mjs': `export default { name: 'mine', async get() { return 'mine' }, async set() {}, async refreshTags() {}, async getExpiration() { return 0 }, async updateTags() {} }`,
    }
    const broken = withDriver(`throw new Error('no luck')`)
    const responses = serve(
      await built({ cacheHandler: './cache-handler.cjs' }, {}, files),
      on,
      `const first = new CacheHandler(${context})
       const early = await first.get('key', { kind: 'FETCH' })
       return [early, await new CacheHandler(${context}).get('key', { kind: 'FETCH' }), ${remains}]`,
      broken,
      driver,
    )
    const said = 'no luck\\. Serving with the cache handlers that the application had '
    expect(responses).toEqual({
      mode: 'fallback',
      lines: [line(said)],
      result: ['mine', 'mine', nothing],
    })
    const kinds = serve(
      await built({ cacheComponents: true, cacheHandlers: { remote: './use-cache.mjs' } }, {}, files),
      on,
      `return [await useCacheRemote.get('key', []), await useCacheDefault.get('key', []) ?? null, ${remains}]`,
      broken,
      driver,
    )
    expect(kinds).toEqual({ mode: 'fallback', lines: [line(said)], result: ['mine', null, nothing] })
  })

  it('off: invalidations are not forwarded', async () => {
    const { mode, lines, result } = serve(
      await built(),
      { ...on, DISTRIBUTED_CACHE: 'off' },
      `await new CacheHandler(${context}).revalidateTag('early')
       await useCacheDefault.updateTags(['t'])
       return [decision.reason, ${remains}]`,
      withDriver(`throw new Error('no luck')`),
      driver,
    )
    const said = expect.stringMatching(
      /off \(DISTRIBUTED_CACHE=off\).+; invalidations are not forwarded: no luck$/,
    ) as string
    expect({ mode, lines, result }).toEqual({ mode: 'stock', lines: [said], result: [said, nothing] })
  })
})

describe('until the driver is loaded', () => {
  const on = { REDIS_URL: URL_WITH_SECRET }

  it('calls wait, and are served by the runtime then as ever', async () => {
    const { mode, lines, result } = serve(
      await built(),
      on,
      `const first = new CacheHandler({})
       const early = [first.get('key', { kind: 'FETCH', tags: [], softTags: [] }), useCacheDefault.get('key', [])]
       const before = decision.reason
       await nextTurn()
       const runtime = globalThis[Symbol.for('next-distributed-cache.runtime')]
       return [before, decision.reason.slice(0, 17), new CacheHandler({}) instanceof runtime.CacheHandler,
         useCacheDefault === useCacheRemote, (await Promise.all(early)).map((answer) => answer ?? null)]`,
    )
    expect(mode).toBe('runtime')
    expect(lines).toHaveLength(1)
    expect(result).toEqual(['on: ioredis is being loaded', 'on: strict preset', true, true, [null, null]])
  })

  it('a generation that fails meanwhile ends nothing', async () => {
    const { result } = serve(
      await built(),
      on,
      `await useCacheDefault.set('key', Promise.reject(new Error('not rendered')))
       return 'alive'`,
    )
    expect(result).toBe('alive')
  })

  it('the two kinds are known to differ', async () => {
    const { result } = serve(
      await built({}, { useCache: 'remote-only' }),
      on,
      `return useCacheDefault === useCacheRemote`,
    )
    expect(result).toBe(false)
  })
})

describe('where the router is found', () => {
  const on = { REDIS_URL: URL_WITH_SECRET }

  it('below the directory of a standalone server, before what was inherited', async () => {
    const project = await built({}, { namespace: 'mine' })
    const other = await built({}, { namespace: 'theirs' })
    const moved = createProject({})
    mkdirSync(join(moved, 'out'))
    cpSync(join(project, '.next'), join(moved, 'out/dist'), { recursive: true })
    const outcome = serve(moved, {
      ...on,
      __NEXT_PRIVATE_STANDALONE_CONFIG: '{"distDir":"./out/dist"}',
      NEXT_DISTRIBUTED_CACHE_ROUTER: join(other, '.next/distributed-cache/router.cjs'),
    })
    expect(outcome.lines[0]).toContain('namespace mine')
  })

  it('where the wrapper said, from any directory', async () => {
    const project = await built()
    const outcome = serve(createProject({}), {
      ...on,
      NEXT_DISTRIBUTED_CACHE_ROUTER: join(project, '.next/distributed-cache/router.cjs'),
    })
    expect(outcome.mode).toBe('runtime')
  })

  it('below .next, when neither leads anywhere', async () => {
    const outcome = serve(await built(), {
      ...on,
      __NEXT_PRIVATE_STANDALONE_CONFIG: 'not json',
      NEXT_DISTRIBUTED_CACHE_ROUTER: '/nowhere/router.cjs',
    })
    expect(outcome.mode).toBe('runtime')
  })
})

describe('stock handlers', () => {
  const off = { DISTRIBUTED_CACHE: 'off' }
  const context = `{
    fs: require('node:fs').promises, flushToDisk: false, serverDistDir: '/nowhere/server', revalidatedTags: [],
    maxMemoryCacheSize: 0, dev: false }`
  const fetchEntry = `{ kind: 'FETCH', data: { headers: {}, body: 'x'.repeat(100), url: 'u' }, revalidate: 60, tags: ['t'] }`

  it('are those of Next, with a real memory although the build bakes none', async () => {
    const outcome = serve(
      await built(),
      off,
      `const Stock = require(${JSON.stringify(join(repository, 'node_modules/next/dist/server/lib/incremental-cache/file-system-cache'))}).default
       const handler = new CacheHandler(${context})
       await handler.set('key', ${fetchEntry}, { fetchCache: true, tags: ['t'] })
       const hit = await new CacheHandler(${context}).get('key', { kind: 'FETCH', tags: ['t'], softTags: [] })
       // Next does not see an invalidation in the millisecond of the write.
       await new Promise((resolve) => setTimeout(resolve, 5))
       await handler.revalidateTag(['t'])
       const miss = await handler.get('key', { kind: 'FETCH', tags: ['t'], softTags: [] })
       return [handler instanceof Stock, hit?.value.data.url, miss, useCacheDefault === useCacheRemote]`,
    )
    expect(outcome.result).toEqual([true, 'u', null, true])
  })

  it('use cache is marked as built in, where Next asks', async () => {
    const project = await built()
    const mark = `globalThis[Symbol.for('@next/cache-handlers-built-in')]`
    const preload = join(project, 'preload.cjs')
    writeFileSync(preload, `${mark} = new Set()`)
    const marked = `return [${mark}.has(useCacheDefault), ${mark}.size]`
    const preloaded = { NODE_OPTIONS: `--require ${preload}` }
    expect(serve(project, { ...off, ...preloaded }, marked).result).toEqual([true, 1])
    const forwarding = { ...off, ...preloaded, REDIS_URL: URL_WITH_SECRET }
    expect(serve(project, forwarding, marked).result).toEqual([true, 2])
    expect(serve(project, { ...preloaded, REDIS_URL: URL_WITH_SECRET }, marked).result).toEqual([false, 0])
  })

  it('have the memory size that the application had', async () => {
    const outcome = serve(
      await built({ cacheMaxMemorySize: 50 }),
      off,
      `const handler = new CacheHandler(${context})
       await handler.set('key', ${fetchEntry}, { fetchCache: true, tags: [] })
       return handler.get('key', { kind: 'FETCH', tags: [], softTags: [] })`,
    )
    expect(outcome.result).toBeNull()
  })

  it('images go to the disk cache of Next, as without a handler', async () => {
    const project = await built()
    const outcome = serve(
      project,
      off,
      `const context = { flushToDisk: true, serverDistDir: process.cwd() + '/.next/server', revalidatedTags: [], maxMemoryCacheSize: 0 }
       const image = { kind: 'IMAGE', etag: 'e', upstreamEtag: 'u', buffer: Buffer.from('pixels'), extension: 'webp', revalidate: 60 }
       const key = 'k'.repeat(10)
       const missed = await new CacheHandler(context).get(key, { kind: 'IMAGE', isFallback: false })
       await new CacheHandler(context).set(key, image, { kind: 'IMAGE', cacheControl: { revalidate: 60 } })
       const hit = await new CacheHandler(context).get(key, { kind: 'IMAGE', isFallback: false })
       return [missed, hit.value.kind, hit.value.buffer.toString(), hit.value.extension, hit.value.revalidate,
         hit.lastModified > Date.now() - 5000, require('node:fs').readdirSync(process.cwd() + '/.next/cache/images')]`,
    )
    expect(outcome.result).toEqual([null, 'IMAGE', 'pixels', 'webp', 60, true, ['kkkkkkkkkk']])
  })
})

describe('previous handlers', () => {
  const files = {
    'cache-handler.cjs': `module.exports = class Mine {
        static made = []
        constructor(context) { Mine.made.push(context.maxMemoryCacheSize) }
        async get() { return null }
        async set() {}
        async revalidateTag(tags) { Mine.made.push(tags) }
        resetRequestCache() {}
      }`,
    'use-cache.mjs': `export default { name: 'mine', async get() {}, async set() {}, async refreshTags() {}, async getExpiration() { return 0 }, async updateTags() {} }`,
  }

  it('serve when off, with the memory size that they had, and Next where there was none', async () => {
    const project = await built(
      {
        cacheHandler: './cache-handler.cjs',
        cacheComponents: true,
        cacheHandlers: { remote: './use-cache.mjs' },
        cacheMaxMemorySize: 777,
      },
      {},
      files,
    )
    const outcome = serve(
      project,
      { DISTRIBUTED_CACHE: 'off' },
      `await new CacheHandler({ maxMemoryCacheSize: 0 }).revalidateTag(['t'])
       return [CacheHandler.made, useCacheRemote.name, useCacheDefault.name ?? 'stock']`,
    )
    expect(outcome).toEqual({
      mode: 'fallback',
      lines: [
        '[next-distributed-cache] off (DISTRIBUTED_CACHE=off): the cache handlers that the application had',
      ],
      result: [[777, ['t']], 'mine', 'stock'],
    })
  })

  it.each([
    ['did not take images before does not now', undefined, 'on disk'],
    ['took images before goes on to', { customCacheHandler: true }, 'mine'],
  ])('one that %s', async (_name, images, expected) => {
    const project = await built(
      { cacheHandler: './cache-handler.cjs', ...(images && { images }) },
      { images: true },
      {
        'cache-handler.cjs': `module.exports = class {
          async get() { return { lastModified: 1, value: { kind: 'IMAGE', extension: 'mine' } } }
        }`,
      },
    )
    const outcome = serve(
      project,
      { DISTRIBUTED_CACHE: 'off' },
      `const handler = new CacheHandler({ serverDistDir: process.cwd() + '/.next/server', flushToDisk: true })
       return (await handler.get('key', { kind: 'IMAGE' }))?.value.extension ?? 'on disk'`,
    )
    expect(outcome.result).toBe(expected)
  })

  it('serve without a URL, too; not with one', async () => {
    const project = await built({ cacheHandler: './cache-handler.cjs' }, {}, files)
    const without = serve(project, {})
    expect(without.mode).toBe('fallback')
    expect(without.lines[0]).toContain('Serving with the cache handlers that the application had alone')
    expect(serve(project, { REDIS_URL: URL_WITH_SECRET }).mode).toBe('runtime')
  })

  it.each([
    ['throws', 'throw new Error("no license")', 'cannot be loaded: no license.'],
    ['is no class', 'module.exports = {}', 'the fallback cacheHandler does not export a class'],
  ])('one that %s gives way to Next', async (_name, source, message) => {
    const project = await built({ cacheHandler: './broken.cjs' }, {}, { 'broken.cjs': source })
    const outcome = serve(project, { DISTRIBUTED_CACHE: 'off' })
    expect(outcome.mode).toBe('stock')
    expect(outcome.lines.join('\n')).toContain(message)
    expect(outcome.lines).toHaveLength(2)
  })
})

describe('forwarding', () => {
  it('tells the fleet first and waits for it, whatever the own handler does', async () => {
    const outcome = serve(
      await built(),
      { DISTRIBUTED_CACHE: 'off' },
      `const { withForwarding } = require(${JSON.stringify(join(dist, 'runtime/entries/host.js'))}).parts['runtime/entries/forwarding.js']
       const log = []
       const forwarder = { async invalidate(tags, durations) {
         await new Promise((resolve) => setTimeout(resolve, 20)); log.push([tags, durations ?? null]) } }
       class Own { async revalidateTag() { if (this.fails) throw new Error('own') } }
       const own = { async updateTags() {}, async get() { return 'got' }, async set() {}, async refreshTags() {}, async getExpiration() { return 5 } }
       const { CacheHandler, useCacheHandlers } = withForwarding(
         { CacheHandler: Own, useCacheHandlers: { default: own, remote: own } }, forwarder)
       const handler = new CacheHandler({})
       await handler.revalidateTag('one')
       await handler.revalidateTag(['two', 'three'], { expire: 3 })
       handler.fails = true
       const failed = await handler.revalidateTag(['four']).catch((error) => error.message)
       await useCacheHandlers.default.updateTags(['five'], { expire: 0 })
       return { log, failed, same: useCacheHandlers.default === useCacheHandlers.remote,
         got: await useCacheHandlers.remote.get('k', []), expiration: await useCacheHandlers.remote.getExpiration([]) }`,
    )
    expect(outcome.result).toEqual({
      log: [
        [['one'], null],
        [['two', 'three'], { expire: 3 }],
        [['four'], null],
        [['five'], { expire: 0 }],
      ],
      failed: 'own',
      same: true,
      got: 'got',
      expiration: 5,
    })
  })
})

describe('the edge', () => {
  it('gets handlers that do nothing, and nothing else', () => {
    const script = `
      const entry = (name) => require(${JSON.stringify(join(dist, 'runtime', 'entries'))} + '/' + name + '.js')
      const handler = new (entry('cache-handler-redis'))()
      const useCache = entry('use-cache-remote-redis')
      const loaded = Object.keys(require.cache).map((path) => path.split(/[\\\\/]/).pop())
      Promise.all([handler.get(), handler.set(), handler.revalidateTag(), useCache.get(), useCache.getExpiration([])])
        .then((values) => console.log(JSON.stringify([values, loaded])))`
    const child = spawnSync(process.execPath, ['-e', script], {
      encoding: 'utf8',
      env: { NEXT_RUNTIME: 'edge' } as unknown as NodeJS.ProcessEnv,
    })
    expect(JSON.parse(child.stdout)).toEqual([
      [null, null, null, null, 0],
      ['cache-handler-redis.js', 'edge.js', 'use-cache-remote-redis.js'],
    ])
  })
})

it('a server that starts opens few files of the package', async () => {
  const project = await built()
  const opened = serve(
    project,
    { REDIS_URL: URL_WITH_SECRET },
    `await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
     return Object.keys(require.cache).map((file) => file.split(/dist[\\\\/]runtime[\\\\/]/)[1]).filter(Boolean)`,
  )
  expect(opened.mode).toBe('runtime')
  expect(new Set(opened.result as string[])).toEqual(
    new Set([
      ...['cache-handler', 'use-cache-default', 'use-cache-remote'].map(
        (name) => `entries/${name}-ioredis.js`,
      ),
      'entries/host.js',
      'entries/ioredis.js',
      'index.js',
      'clients/ioredis.js',
    ]),
  )
})

it.each(['ioredis', 'redis'])(
  'has handlers before %s is loaded, which waits for no request',
  async (driver) => {
    const { mode, result } = serve(
      await built(),
      { REDIS_URL: URL_WITH_SECRET },
      `const packages = ['ioredis', 'redis', '@redis/client', '@redis/json', '@redis/search']
       const loaded = () => packages.filter((name) => Object.keys(require.cache)
         .some((file) => file.replaceAll(require('node:path').sep, '/').includes('/node_modules/' + name + '/')))
       const before = loaded()
       await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
       return [before, loaded()]`,
      dist,
      driver,
    )
    expect(mode).toBe('runtime')
    // Not the packages of commands that `redis` adds to its client.
    expect(result).toEqual([[], [driver === 'redis' ? '@redis/client' : driver]])
  },
)

it('the package finds its own files through a link', async () => {
  const elsewhere = createProject({})
  symlinkSync(dist, join(elsewhere, 'linked'))
  expect(serve(await built(), { REDIS_URL: URL_WITH_SECRET }, '', join(elsewhere, 'linked')).mode).toBe(
    'runtime',
  )
})
