import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import type { NextConfig } from 'next'
import { beforeEach, describe, expect, it } from 'vitest'
import { createProject, materialize, withDistributedCache, withVariables } from './plugin-support'

const esmOnly = {
  'node_modules/esm-only/package.json':
    '{"name":"esm-only","type":"module","exports":{".":{"import":"./i.js"}}}',
  'node_modules/esm-only/i.js': 'import { deep } from "./deep.js"\nexport const esm = `esm-${deep}`',
  'node_modules/esm-only/deep.js': 'export const deep = "deep"',
}
const common = {
  'node_modules/common/package.json': '{"name":"common","main":"./main.js"}',
  'node_modules/common/main.js': 'module.exports = { common: require("./part.js") }',
  'node_modules/common/part.js': 'module.exports = "common"',
}

beforeEach(() => withVariables({ NODE_ENV: 'production', DISTRIBUTED_CACHE: undefined }))

/** Runs the hook of a build and returns what Next would copy into standalone, relative to the project. */
async function build(project: string, config: NextConfig, options = {}): Promise<string[]> {
  const distDir = join(project, '.next')
  const { compiler } = await materialize(
    withDistributedCache(() => ({ outputFileTracingRoot: project, ...config }), options),
    'phase-production-server',
  )
  await compiler!.runAfterProductionCompile!({ projectDir: project, distDir })
  const manifest = JSON.parse(readFileSync(join(distDir, 'next-server.js.nft.json'), 'utf8'))
  return (manifest.files as string[]).map((file) =>
    file.startsWith('../') ? file.slice(3) : `.next/${file}`,
  )
}

/** What a fallback module gives when the generated router loads it, with only the traced files there. */
function load(project: string, files: string[], kind = 'cacheHandler'): unknown {
  const standalone = createProject({})
  for (const file of files) {
    execFileSync('mkdir', ['-p', join(standalone, file, '..')])
    execFileSync('cp', ['-P', join(project, file), join(standalone, file)])
  }
  // Nothing may lead back to where it was built.
  renameSync(project, `${project}-gone`)
  const router = readFileSync(join(standalone, '.next/distributed-cache/router.cjs'), 'utf8')
  const path = new RegExp(`${kind}: \\(\\) => require\\("(.+)"\\)`).exec(router)?.[1]
  const output = execFileSync(
    process.execPath,
    [
      '-e',
      `Promise.resolve(require(${JSON.stringify(join(standalone, '.next/distributed-cache', path!))})).then(async (loaded) => {
        const value = loaded.default ?? loaded
        console.log(JSON.stringify(typeof value === 'function' ? await value() : value))
      })`,
    ],
    { encoding: 'utf8', cwd: standalone },
  )
  renameSync(`${project}-gone`, project)
  return JSON.parse(output)
}

const manifest = { '.next/next-server.js.nft.json': '{"version":1,"files":[]}' }

describe('a CommonJS fallback', () => {
  it('stays where it is, with everything that it needs', async () => {
    const project = createProject(
      {
        'package.json': '{"name":"shop"}',
        'cache/handler.js':
          'module.exports = { ...require("common"), here: require("./lib"), asset: require("node:fs").readFileSync(require("node:path").join(__dirname, "asset.txt"), "utf8") }',
        'cache/lib/index.js': 'module.exports = "here"',
        'cache/asset.txt': 'asset',
        ...common,
        ...manifest,
      },
      ['next'],
    )
    const files = await build(project, { cacheHandler: join(project, 'cache/handler.js') })
    expect(files.sort()).toEqual([
      '.next/distributed-cache/build.json',
      '.next/distributed-cache/router.cjs',
      'cache/asset.txt',
      'cache/handler.js',
      'cache/lib/index.js',
      'node_modules/common/main.js',
      'node_modules/common/package.json',
      'node_modules/common/part.js',
      'package.json',
    ])
    expect(load(project, files)).toEqual({ common: 'common', here: 'here', asset: 'asset' })
  })

  it('the option wins over what is configured; a file URL and a package name are paths, too', async () => {
    const project = createProject(
      {
        'package.json': '{"name":"shop"}',
        'one.cjs': 'module.exports = 1',
        'two.cjs': 'module.exports = 2',
        ...common,
        ...manifest,
      },
      ['next'],
    )
    const files = await build(
      project,
      {
        cacheHandler: join(project, 'one.cjs'),
        cacheComponents: true,
        cacheHandlers: { default: `file://${join(project, 'one.cjs')}`, remote: 'common' },
      },
      { fallback: { cacheHandler: './two.cjs' } },
    )
    expect(load(project, files)).toBe(2)
    expect(load(project, files, 'default')).toBe(1)
    expect(load(project, files, 'remote')).toEqual({ common: 'common' })
  })
})

describe('a TypeScript or ESM fallback', () => {
  it('is compiled with its closure, and finds it at run time', async () => {
    const project = createProject(
      {
        'package.json': '{"name":"shop","type":"module"}',
        'tsconfig.json': '{"compilerOptions":{"paths":{"@/*":["./cache/*"]}}}',
        'cache/handler.ts': `
          import { readFileSync } from 'node:fs'
          import { dirname, join } from 'node:path'
          import { fileURLToPath } from 'node:url'
          import { esm } from 'esm-only'
          import { common } from 'common'
          import { suffixed } from './suffixed.js'
          import { aliased } from '@/aliased'
          import plain from './plain.cjs'
          import json from './data.json' with { type: 'json' }
          import type { Missing } from './not-there'
          // Before, this was: require('./not-there')
          enum Kind { A = 1 }
          const here = dirname(fileURLToPath(import.meta.url))
          export default async function handler(): Promise<object> {
            const { lazy } = await import('./lazy.js')
            const asset: string = readFileSync(join(here, 'asset.txt'), 'utf8')
            const note = "require('./not-there')"
            return { note, esm, common, suffixed, aliased, plain, json, lazy, asset, kind: Kind.A }
          }`,
        'cache/suffixed.ts': `import './handler'\nexport const suffixed: string = 'suffixed'`,
        'cache/aliased.mts': `export const aliased = 'aliased' as const`,
        'cache/lazy.ts': `export const lazy = 'lazy'`,
        'cache/plain.cjs': `module.exports = 'plain'`,
        'cache/data.json': '{"json":true}',
        'cache/asset.txt': 'asset',
        ...esmOnly,
        ...common,
        ...manifest,
      },
      ['next'],
    )
    const files = await build(project, { cacheHandler: './cache/handler.ts' })
    expect(files.filter((file) => /\.[cm]?ts$/.test(file))).toEqual([])
    const text = readdirSync(join(project, '.next'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.cjs'))
      .map((file) => readFileSync(join(project, '.next', file), 'utf8'))
    expect(text.join('')).not.toContain(project)
    expect(load(project, files)).toEqual({
      note: "require('./not-there')",
      esm: 'esm-deep',
      common: 'common',
      suffixed: 'suffixed',
      aliased: 'aliased',
      plain: 'plain',
      json: { json: true },
      lazy: 'lazy',
      asset: 'asset',
      kind: 1,
    })
  })

  it('finds the packages of a workspace beside the application', async () => {
    const root = createProject(
      {
        'package.json': '{"name":"root"}',
        'apps/web/package.json': '{"name":"web"}',
        'packages/cache/package.json': '{"name":"cache","type":"module"}',
        'packages/cache/handler.js':
          'import { common } from "common"\nimport own from "./own.js"\nexport default { common, own }',
        'packages/cache/own.js': 'export default "own"',
        'packages/cache/node_modules/common/package.json': '{"name":"common","main":"./main.js"}',
        'packages/cache/node_modules/common/main.js': 'exports.common = "of the workspace"',
        'apps/web/.next/next-server.js.nft.json': '{"version":1,"files":[]}',
      },
      ['next'],
    )
    const project = join(root, 'apps', 'web')
    const { compiler } = await materialize(
      withDistributedCache(() => ({
        outputFileTracingRoot: root,
        cacheHandler: '../../packages/cache/handler.js',
      })),
      'phase-production-server',
    )
    await compiler!.runAfterProductionCompile!({ projectDir: project, distDir: join(project, '.next') })
    const router = readFileSync(join(project, '.next/distributed-cache/router.cjs'), 'utf8')
    expect(router).toContain('require("./fallback/_up/_up/packages/cache/handler.js.cjs")')
    const compiled = join(project, '.next/distributed-cache/fallback/_up/_up/packages/cache/handler.js.cjs')
    const output = execFileSync(process.execPath, [
      '-p',
      `JSON.stringify(require(${JSON.stringify(compiled)}).default)`,
    ])
    expect(JSON.parse(output.toString())).toEqual({ common: 'of the workspace', own: 'own' })
    const { files } = JSON.parse(readFileSync(join(project, '.next/next-server.js.nft.json'), 'utf8'))
    expect(files).toContain('../../../packages/cache/node_modules/common/main.js')
  })

  it.each([
    [
      'a syntax error',
      'export const x: = 1',
      'cannot be compiled to CommonJS: ParseError|cannot be compiled',
    ],
    ['await at the top level', 'export default await Promise.resolve(1)', 'it uses await at the top level'],
    ['import.meta.resolve', 'export default import.meta.resolve("x")', 'it uses import.meta.resolve'],
    ['an import that is not there', 'export * from "./not-there"', 'imports "./not-there"'],
  ])('says what is wrong: %s', async (_name, source, message) => {
    const project = createProject({ 'package.json': '{"name":"shop"}', 'handler.ts': source, ...manifest }, [
      'next',
    ])
    await expect(build(project, { cacheHandler: './handler.ts' })).rejects.toMatchObject({
      code: 'INVALID_FALLBACK',
      message: expect.stringMatching(message),
    })
    expect(existsSync(join(project, '.next/distributed-cache/router.cjs'))).toBe(false)
  })
})
