import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NextConfig } from 'next'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import {
  copyPackage,
  createProject,
  deepFreeze,
  dist,
  materialize,
  repository,
  requireBuilt,
  withDistributedCache,
  withVariables,
} from './plugin-support'

const { defaultKeyPrefix } = requireBuilt('./plugin/project.js') as typeof import('../../plugin/project')
const { checkInsideRoot, checkNextVersion } = requireBuilt(
  './plugin/requirements.js',
) as typeof import('../../plugin/requirements')

const entry = (name: string) => join(dist, 'runtime', 'entries', `${name}.js`)
const server = 'phase-production-server'

beforeEach(() => withVariables({ NODE_ENV: 'production', DISTRIBUTED_CACHE: undefined }))

describe('what is set', () => {
  it('without use cache', async () => {
    expect(await materialize(withDistributedCache({}), server)).toEqual({
      cacheHandler: entry('cache-handler-ioredis'),
      cacheMaxMemorySize: 0,
      outputFileTracingIncludes: { '/*': ['./.next/distributed-cache/**/*'] },
      compiler: { runAfterProductionCompile: expect.any(Function) },
    })
  })

  it.each<[string, NextConfig]>([
    ['cacheComponents', { cacheComponents: true }],
    ['experimental.useCache', { experimental: { useCache: true } }],
    ['experimental.cacheComponents', { experimental: { cacheComponents: true } } as NextConfig],
  ])('with %s: both kinds, always', async (_name, config) => {
    const { cacheHandlers } = await materialize(withDistributedCache(config, { driver: 'redis' }), server)
    expect(cacheHandlers).toEqual({
      default: entry('use-cache-default-redis'),
      remote: entry('use-cache-remote-redis'),
    })
  })

  it.each<[string, NextConfig]>([
    ['nothing said', {}],
    ['experimental.useCache false', { experimental: { useCache: false } }],
    ['cacheComponents false', { cacheComponents: false }],
  ])('no cacheHandlers with %s', async (_name, config) => {
    expect(await materialize(withDistributedCache(config), server)).not.toHaveProperty('cacheHandlers')
  })

  it('images only when asked', async () => {
    const images = { formats: ['image/avif' as const] }
    expect((await materialize(withDistributedCache({ images }, { images: true }), server)).images).toEqual({
      formats: ['image/avif'],
      customCacheHandler: true,
    })
    expect((await materialize(withDistributedCache({ images }), server)).images).toBe(images)
    const asBefore = { images: { customCacheHandler: true } }
    expect((await materialize(withDistributedCache(asBefore), server)).images).toBe(asBefore.images)
  })

  it('a distDir of its own is included in standalone', async () => {
    const config = await materialize(withDistributedCache({ distDir: 'out/next' }), server)
    expect(config.outputFileTracingIncludes).toEqual({ '/*': ['./out/next/distributed-cache/**/*'] })
  })
})

describe('what was there stays', () => {
  it('keeps other keys, extends what it shares, changes nothing of what it was given', async () => {
    const rewrites = async () => []
    const config = deepFreeze({
      output: 'standalone' as const,
      basePath: '/shop',
      rewrites,
      cacheComponents: true,
      cacheHandlers: { sessions: '/somewhere/sessions.js' },
      compiler: { removeConsole: true },
      experimental: { serverActions: { bodySizeLimit: '1mb' as const } },
      images: { qualities: [75] },
      outputFileTracingIncludes: { '/*': ['./a/**'], '/api': ['./b/**'] },
    })
    const result = await materialize(withDistributedCache(config, deepFreeze({ images: true })), server)
    expect(result).toEqual({
      ...config,
      cacheHandler: entry('cache-handler-ioredis'),
      cacheHandlers: {
        sessions: '/somewhere/sessions.js',
        default: entry('use-cache-default-ioredis'),
        remote: entry('use-cache-remote-ioredis'),
      },
      cacheMaxMemorySize: 0,
      compiler: { removeConsole: true, runAfterProductionCompile: expect.any(Function) },
      images: { qualities: [75], customCacheHandler: true },
      outputFileTracingIncludes: {
        '/*': ['./a/**', './.next/distributed-cache/**/*'],
        '/api': ['./b/**'],
      },
    })
    expect(result.rewrites).toBe(rewrites)
    expect(result.experimental).toBe(config.experimental)
  })

  it('takes legacy names out of experimental, which Next would move over its own', async () => {
    const config = deepFreeze({
      cacheComponents: true,
      experimental: {
        useCache: true,
        cacheHandlers: { default: '/a.js', sessions: '/s.js' },
        outputFileTracingIncludes: { '/x': ['y'] },
      },
    }) as unknown as NextConfig
    const result = await materialize(withDistributedCache(config), server)
    expect(result.experimental).toEqual({ useCache: true })
    expect(result.cacheHandlers).toMatchObject({
      sessions: '/s.js',
      default: entry('use-cache-default-ioredis'),
    })
    expect(result.outputFileTracingIncludes).toMatchObject({ '/x': ['y'] })
  })

  it('null is absent, as for Next', async () => {
    const config = deepFreeze({
      cacheComponents: true,
      cacheHandler: null,
      cacheHandlers: { default: null },
      cacheMaxMemorySize: null,
      compiler: null,
      distDir: null,
      outputFileTracingIncludes: null,
      outputFileTracingRoot: null,
      turbopack: { root: null },
    }) as unknown as NextConfig
    const project = createProject()
    const result = await materialize(withDistributedCache(config), server)
    await result.compiler!.runAfterProductionCompile!({
      projectDir: project,
      distDir: join(project, '.next'),
    })
    expect(readFileSync(join(project, '.next/distributed-cache/router.cjs'), 'utf8')).toContain(
      'const fallback = {}',
    )
  })

  it("runs the application's own hook after its own", async () => {
    const project = createProject()
    const seen: string[] = []
    const config = await materialize(
      withDistributedCache({
        compiler: {
          async runAfterProductionCompile({ distDir }) {
            seen.push(existsSync(join(distDir, 'distributed-cache', 'router.cjs')) ? 'router' : 'nothing')
          },
        },
      }),
      server,
    )
    await config.compiler!.runAfterProductionCompile!({
      projectDir: project,
      distDir: join(project, '.next'),
    })
    expect(seen).toEqual(['router'])
  })
})

describe('the shape', () => {
  it('an object gives an object, at once', () => {
    expect(withDistributedCache({})).toHaveProperty('cacheHandler')
  })

  it('a function gives a function that passes its arguments on', () => {
    const config = vi.fn((_phase: string, _context: { defaultConfig: NextConfig }) => ({ basePath: '/x' }))
    const wrapped = withDistributedCache(config)
    const context = { defaultConfig: {} }
    expect(wrapped(server, context)).toMatchObject({ basePath: '/x', cacheMaxMemorySize: 0 })
    expect(config).toHaveBeenCalledExactlyOnceWith(server, context)
  })

  it('an async function gives a promise, a promise gives a promise', async () => {
    const wrapped = withDistributedCache(async () => ({ basePath: '/x' }))
    const result = wrapped(server, { defaultConfig: {} })
    expect(result).toBeInstanceOf(Promise)
    expect(await result).toMatchObject({ basePath: '/x', cacheMaxMemorySize: 0 })
    const promised = withDistributedCache(Promise.resolve({ basePath: '/y' }))
    expect(promised).toBeInstanceOf(Promise)
    expect(await promised).toMatchObject({ basePath: '/y', cacheMaxMemorySize: 0 })
  })

  type AnyConfig = Parameters<typeof materialize>[0]
  const spreading = (config: AnyConfig): AnyConfig => ({ ...(config as NextConfig), basePath: '/w' })
  const making =
    (config: AnyConfig): AnyConfig =>
    async (phase: string) => ({
      ...(await materialize(config, phase)),
      basePath: '/w',
    })

  it.each([
    ['a spreading wrapper', spreading],
    ['a wrapper that makes a function of it', making],
  ])('composes with %s, in either order', async (_name, wrapper) => {
    const ours = (config: AnyConfig) => withDistributedCache(config as NextConfig)
    const inside = await materialize(wrapper(ours({ reactStrictMode: true })), server)
    const outside = await materialize(ours(wrapper({ reactStrictMode: true })), server)
    for (const config of [inside, outside]) {
      expect(config).toMatchObject({
        basePath: '/w',
        reactStrictMode: true,
        cacheMaxMemorySize: 0,
        cacheHandler: entry('cache-handler-ioredis'),
      })
    }
  })

  it.each([
    [undefined, 'of type undefined'],
    [null, 'null'],
    ['config', 'of type string'],
    [[], 'an array'],
    [() => undefined, 'of type undefined'],
    [async () => 7, 'of type number'],
  ])('refuses what is no config: %o', async (config, what) => {
    const evaluate = async () => materialize(withDistributedCache(config as NextConfig), server)
    await expect(evaluate()).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringContaining(`The Next.js config is ${what}.`),
    })
  })

  it.each([
    [{ cacheHandler: 5 }, 'cacheHandler is of type number'],
    [{ cacheHandlers: { remote: {} } }, 'cacheHandlers.remote is of type object'],
    [{ distDir: true }, 'distDir is of type boolean'],
  ])('refuses what is no path: %o', async (config, what) => {
    const evaluate = async () => materialize(withDistributedCache(config as never), server)
    await expect(evaluate()).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringContaining(what.replace(' is', ' in the Next.js config is')),
    })
  })

  it.each([
    ['objects', () => withDistributedCache(withDistributedCache({}))],
    ['functions', () => withDistributedCache(withDistributedCache(() => ({})))],
  ])('refuses to be applied twice: %s', async (_name, twice) => {
    await expect(async () => materialize(twice(), server)).rejects.toThrow('is applied twice to one config')
  })
})

describe('errors', () => {
  it('options are judged at once, whatever the shape', () => {
    expect(() => withDistributedCache(() => ({}), { prest: 'strict' } as never)).toThrow('Unknown option')
  })

  it('a driver that is not installed', async () => {
    const script = `
      require('node:module')._resolveFilename = ((original) => function (request, ...rest) {
        if (request === 'ioredis' || request === 'redis') throw new Error('missing')
        return original.call(this, request, ...rest)
      })(require('node:module')._resolveFilename)
      const { withDistributedCache } = require(${JSON.stringify(join(dist, 'plugin', 'index.js'))})
      for (const [phase, options] of [
        ['phase-production-build'],
        ['phase-production-build', { driver: 'redis' }],
        ['phase-production-server'],
      ]) {
        try {
          console.log('set', withDistributedCache(() => ({}), options)(phase, {}).cacheHandler.split(/[\\\\/]/).pop())
        } catch (error) {
          console.log(error.code, error.message)
        }
      }`
    const output = execFileSync(process.execPath, ['-e', script], { cwd: createProject(), encoding: 'utf8' })
    expect(output.trim().split('\n')).toEqual([
      'MISSING_DRIVER [next-distributed-cache] No Redis client is installed. Run `npm install ioredis` or `npm install redis`.',
      'MISSING_DRIVER [next-distributed-cache] Option "driver" is \'redis\', which is not installed. Run `npm install redis`, or remove the option.',
      // A server starts without; its entry says what is missing, and it serves the stock handlers.
      'set cache-handler-ioredis.js',
    ])
  })

  it.each([
    [
      { ioredis: '4.31.0' },
      'UNSUPPORTED_DRIVER: ioredis 4.31.0 is not supported: this version needs >=5.4 <7. Run: npm install ioredis@6',
    ],
    [
      { ioredis: '5.3.2' },
      'UNSUPPORTED_DRIVER: ioredis 5.3.2 is not supported: this version needs >=5.4 <7. Run: npm install ioredis@6',
    ],
    [
      { redis: '4.7.1' },
      'UNSUPPORTED_DRIVER: redis 4.7.1 is not supported: this version needs >=5 <7. Run: npm install redis@6',
    ],
    [
      { redis: '7.0.0-rc.1' },
      'UNSUPPORTED_DRIVER: redis 7.0.0-rc.1 is not supported: this version needs >=5 <7. Run: npm install redis@6',
    ],
    // One that the application has for something else.
    [{ ioredis: '4.31.0', redis: '5.0.0' }, 'cache-handler-redis.js'],
    [{ ioredis: '5.4.0', redis: '4.7.1' }, 'cache-handler-ioredis.js'],
    [{ ioredis: '6.1.0', redis: '6.3.1' }, 'cache-handler-ioredis.js'],
    // npm:fork@0.3.1
    [{ ioredis: '0.3.1' }, 'cache-handler-ioredis.js'],
  ])('drivers that are installed: %o', (installed, expected) => {
    const files: Record<string, string> = { 'package.json': '{"name":"shop"}' }
    for (const [name, version] of Object.entries(installed)) {
      files[`node_modules/${name}/package.json`] = JSON.stringify({
        name: version === '0.3.1' ? 'fork' : name,
        version,
      })
      files[`node_modules/${name}/index.js`] = ''
    }
    const project = createProject(files)
    const copy = join(project, 'node_modules', 'next-distributed-cache')
    copyPackage(copy)
    const script = `
      const { withDistributedCache } = require(${JSON.stringify(join(copy, 'dist', 'plugin', 'index.js'))})
      const evaluate = (phase) => withDistributedCache(() => ({}))(phase, {})
      try {
        console.log(evaluate('phase-production-build').cacheHandler.split(/[\\\\/]/).pop())
      } catch (error) {
        console.log(error.message.replace('[next-distributed-cache]', error.code + ':'))
      }
      // Not a reason to keep a server from starting.
      evaluate('phase-production-server')`
    const output = execFileSync(process.execPath, ['-e', script], { cwd: project, encoding: 'utf8' })
    expect(output.trim()).toBe(expected)
  })

  it.each(['15.5.0', '16.0.11', '16.1.7-canary.1', '17.0.0', '17.0.0-canary.3'])('Next.js %s', (version) => {
    expect(() => checkNextVersion(version)).toThrow(
      `[next-distributed-cache] Next.js ${version} is not supported: this version needs >=16.2 <17.`,
    )
  })

  it.each(['16.2.0', '16.2.0-canary.4', '16.4.6', '16.12.1', undefined])('not for Next.js %s', (version) => {
    expect(() => checkNextVersion(version)).not.toThrow()
  })

  it('a package outside the root of the build', async () => {
    const project = createProject()
    const evaluate = () => materialize(withDistributedCache(() => ({ outputFileTracingRoot: project })))
    await expect(evaluate()).rejects.toMatchObject({
      code: 'OUTSIDE_PROJECT_ROOT',
      message: expect.stringMatching(/outside the root directory of the build \(.+\).+outputFileTracingRoot/),
    })
    const turbopack = () => materialize(withDistributedCache(() => ({ turbopack: { root: project } })))
    await expect(turbopack()).rejects.toMatchObject({ code: 'OUTSIDE_PROJECT_ROOT' })
    // Where Next still takes it from, over the new name.
    const moved = { outputFileTracingRoot: project, experimental: { outputFileTracingRoot: repository } }
    await expect(
      materialize(withDistributedCache(() => moved as unknown as NextConfig)),
    ).resolves.toBeDefined()
    // Not a reason to keep a server from starting: it has been built.
    await expect(
      materialize(
        withDistributedCache(() => ({ outputFileTracingRoot: project })),
        server,
      ),
    ).resolves.toBeDefined()
    expect(() => checkInsideRoot(repository)).not.toThrow()
    expect(() => checkInsideRoot(undefined)).not.toThrow()
  })

  it('a standalone build that was started outside of the project', async () => {
    const project = createProject()
    const compile = async (config: NextConfig) => {
      const { compiler } = await materialize(
        withDistributedCache(() => config),
        server,
      )
      return compiler!.runAfterProductionCompile!({ projectDir: project, distDir: join(project, '.next') })
    }
    await expect(compile({ output: 'standalone' })).rejects.toMatchObject({
      code: 'OUTSIDE_PROJECT_ROOT',
      message: expect.stringMatching(/started in .+ Run next build in .+, without a directory/),
    })
    await expect(compile({})).resolves.toBeUndefined()
    const cwd = vi.spyOn(process, 'cwd').mockReturnValue(project)
    await expect(compile({ output: 'standalone' })).resolves.toBeUndefined()
    cwd.mockRestore()
  })

  it('no name in package.json', () => {
    expect(defaultKeyPrefix(createProject({ 'package.json': '{"name":"@acme/shop"}' }))).toBe(
      'ndc:@acme/shop',
    )
    const nested = createProject({ 'package.json': '{"name":"outer"}', 'apps/web/package.json': '{}' })
    expect(defaultKeyPrefix(join(nested, 'apps', 'web'))).toBe('ndc:outer')
    expect(() => defaultKeyPrefix(createProject({}))).toThrow('Set the option keyPrefix, or a name')
    expect(() => defaultKeyPrefix(createProject({ 'package.json': '{"name":"a b"}' }))).toThrow(
      '("a b") cannot be part of a Redis key',
    )
  })

  it('a previous handler that does not exist, before the build has cost anything', async () => {
    const evaluate = () => materialize(withDistributedCache(() => ({ cacheHandler: './nowhere.js' })))
    await expect(evaluate()).rejects.toMatchObject({
      code: 'INVALID_FALLBACK',
      message: expect.stringContaining('"./nowhere.js" (cacheHandler)'),
    })
  })
})

describe("output: 'export'", () => {
  it('leaves the config as it is and says so once per build', async () => {
    const info = vi.spyOn(console, 'info').mockImplementation(() => {})
    const config = { output: 'export' as const }
    expect(await materialize(withDistributedCache(() => config))).toBe(config)
    expect(await materialize(withDistributedCache(() => config))).toBe(config)
    expect(await materialize(withDistributedCache(config), server)).toBe(config)
    expect(info).toHaveBeenCalledExactlyOnceWith(expect.stringContaining("output: 'export'"))
    info.mockRestore()
  })
})

describe('side effects', () => {
  const files = (directory: string) =>
    readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.cjs'))

  const configFile = (body: string) => ({
    'package.json': '{"name":"shop"}',
    'next.config.js': `const { withDistributedCache } = require(${JSON.stringify(join(dist, 'plugin', 'index.js'))})\n${body}`,
  })

  /** Imports a project's configuration in a process of its own, as a tool would. */
  function evaluate(project: string, variables: Record<string, string> = {}, argv: string[] = []) {
    const script = `
      const config = require(${JSON.stringify(join(project, 'next.config.js'))})
      console.log(JSON.stringify({ keys: Object.keys(config), router: process.env.NEXT_DISTRIBUTED_CACHE_ROUTER }))`
    const output = execFileSync(process.execPath, ['-e', script, ...argv], {
      encoding: 'utf8',
      cwd: repository,
      env: { PATH: process.env['PATH'], ...variables } as unknown as NodeJS.ProcessEnv,
    })
    const lines = output.trim().split('\n')
    return {
      lines: lines.length,
      ...(JSON.parse(lines.at(-1)!) as { keys: string[]; router?: string }),
    }
  }

  it('a tool that imports the config changes nothing and prints nothing', () => {
    const project = createProject(configFile('module.exports = withDistributedCache({})'))
    const before = readdirSync(project)
    expect(evaluate(project)).toMatchObject({ lines: 1, keys: expect.arrayContaining(['cacheHandler']) })
    expect(evaluate(project)).not.toHaveProperty('router')
    expect(readdirSync(project)).toEqual(before)
  })

  it.each(['out', '/out'])(
    'a server that starts writes nothing, and knows where the router is: %s',
    (distDir) => {
      const project = createProject(
        configFile(`module.exports = withDistributedCache({ distDir: ${JSON.stringify(distDir)} })`),
      )
      const before = readdirSync(project)
      expect(evaluate(project, { NODE_ENV: 'production' }).router).toBe(
        join(project, 'out', 'distributed-cache', 'router.cjs'),
      )
      expect(readdirSync(project)).toEqual(before)
    },
  )

  it.each(['() => ({})', 'async () => ({})', 'Promise.resolve({})'])(
    'a server started from elsewhere finds the router: %s',
    (config) => {
      const project = createProject({
        ...configFile(`module.exports = withDistributedCache(${config})`),
        // As Next calls it, from a file of its own.
        'start.cjs': `
          const config = require('./next.config.js')
          Promise.resolve(typeof config === 'function' ? config('phase-production-server', {}) : config)
            .then(() => console.log(process.env.NEXT_DISTRIBUTED_CACHE_ROUTER))`,
      })
      const output = execFileSync(process.execPath, [join(project, 'start.cjs')], {
        encoding: 'utf8',
        cwd: repository,
        env: { PATH: process.env['PATH'], NODE_ENV: 'production' },
      })
      expect(output.trim()).toBe(join(project, '.next', 'distributed-cache', 'router.cjs'))
    },
  )

  it('next dev is stock and silent', () => {
    const project = createProject(configFile('module.exports = withDistributedCache({ basePath: "/x" })'))
    for (const variables of [{ NODE_ENV: 'development' }, { __NEXT_DEV_SERVER: '1' }]) {
      const result = evaluate(project, { ...variables, REDIS_URL: 'redis://127.0.0.1:1' })
      expect(result).toEqual({ lines: 1, keys: ['basePath'], router: undefined })
    }
    expect(files(project)).toEqual([])
  })

  it('next dev with DISTRIBUTED_CACHE=on gets its router at once, where the dev server does not delete it', () => {
    const project = createProject(
      configFile(`module.exports = withDistributedCache({ outputFileTracingRoot: '/' })`),
    )
    const result = evaluate(project, { NODE_ENV: 'development', DISTRIBUTED_CACHE: 'on' })
    const router = join(project, '.next', 'cache', 'distributed-cache', 'router.cjs')
    expect(result.router).toBe(router)
    expect(files(project)).toEqual([join('.next', 'cache', 'distributed-cache', 'router.cjs')])
  })

  it('a config in ESM finds its project, too', () => {
    const project = createProject({
      'package.json': '{"name":"shop","type":"module"}',
      'next.config.mjs': `
        import { withDistributedCache } from ${JSON.stringify(`file://${join(dist, 'plugin', 'index.mjs')}`)}
        export default withDistributedCache({})
        console.log(process.env.NEXT_DISTRIBUTED_CACHE_ROUTER)`,
    })
    const output = execFileSync(process.execPath, [join(project, 'next.config.mjs')], {
      encoding: 'utf8',
      cwd: repository,
      env: { PATH: process.env['PATH'], NODE_ENV: 'production' },
    })
    expect(output.trim()).toBe(join(project, '.next', 'distributed-cache', 'router.cjs'))
  })
})

describe('after compiling', () => {
  const options = { keyPrefix: 'shop' }

  async function compile(config: NextConfig, project: string, distDir = join(project, '.next')) {
    const { compiler } = await materialize(
      withDistributedCache(() => config, options),
      server,
    )
    await compiler!.runAfterProductionCompile!({ projectDir: project, distDir })
    return join(distDir, 'distributed-cache', 'router.cjs')
  }

  it('writes the router: readable, the same every time, without a path of this machine', async () => {
    const project = createProject()
    const router = await compile({ cacheMaxMemorySize: 1234, images: { maximumDiskCacheSize: 99 } }, project)
    const text = readFileSync(router, 'utf8')
    expect(text).toContain('"keyPrefix": "shop"')
    expect(text).toContain('"memoryBytes": 1234')
    expect(text).toContain('"imageDiskBytes": 99')
    expect(text).not.toContain(project)
    expect(text).not.toContain('__NDC_')
    expect(process.env['NEXT_DISTRIBUTED_CACHE_ROUTER']).toBe(router)
    const elsewhere = createProject({ 'deep/package.json': '{"name":"shop"}' })
    const again = await compile(
      { cacheMaxMemorySize: 1234, images: { maximumDiskCacheSize: 99 } },
      join(elsewhere, 'deep'),
    )
    expect(readFileSync(again, 'utf8')).toBe(text)
  })

  it('writes down when the build began, wherever the hook runs, and a server leaves it alone', async () => {
    const project = createProject()
    const file = join(project, '.next', 'distributed-cache', 'build.json')
    const now = Date.now()
    await compile({}, project)
    const { startedAt } = JSON.parse(readFileSync(file, 'utf8'))
    expect(startedAt).toBeLessThanOrEqual(now)
    expect(startedAt).toBeGreaterThan(now - 10 * 60_000)
    process.env['NEXT_DISTRIBUTED_CACHE_BUILD_STARTED'] = '1234'
    await compile({}, project)
    expect(readFileSync(file, 'utf8')).toBe('{"startedAt":1234}\n')
    process.env['NEXT_DISTRIBUTED_CACHE_BUILD_STARTED'] = '5678'
    await materialize(withDistributedCache({}, options), server)
    expect(readFileSync(file, 'utf8')).toBe('{"startedAt":1234}\n')
  })

  it('adds the router to what Turbopack traced, behind what is there', async () => {
    const project = createProject({
      'package.json': '{"name":"shop"}',
      '.next/next-server.js.nft.json':
        '{"version":1,"files":["../a.js","../link"],"symlinks":[[1,"../b.js"]]}',
      '.next/server/app/page.js.nft.json': '{"version":1,"files":["a"]}',
    })
    await compile({}, project)
    await compile({}, project)
    const manifest = JSON.parse(readFileSync(join(project, '.next', 'next-server.js.nft.json'), 'utf8'))
    expect(manifest).toEqual({
      version: 1,
      files: ['../a.js', '../link', 'distributed-cache/router.cjs', 'distributed-cache/build.json'],
      symlinks: [[1, '../b.js']],
    })
    expect(readFileSync(join(project, '.next/server/app/page.js.nft.json'), 'utf8')).toBe(
      '{"version":1,"files":["a"]}',
    )
  })

  it('adds the router to the routes when webpack has not traced the server yet', async () => {
    const project = createProject({
      'package.json': '{"name":"shop"}',
      '.next/server/app/shop/page.js.nft.json': '{"version":1,"files":["a"]}',
    })
    await compile({}, project)
    const manifest = JSON.parse(readFileSync(join(project, '.next/server/app/shop/page.js.nft.json'), 'utf8'))
    expect(manifest.files).toEqual([
      'a',
      '../../../distributed-cache/router.cjs',
      '../../../distributed-cache/build.json',
    ])
  })
})
