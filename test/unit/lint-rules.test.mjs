import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { judgeImport, layerOf } from '../../scripts/lint-layers.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))

const value = (from, specifier) => judgeImport(from, specifier, false)
const type = (from, specifier) => judgeImport(from, specifier, true)

describe('layers', () => {
  it('knows the layer of a file', () => {
    expect(layerOf('src/options.ts')).toBe('src')
    expect(layerOf('runtime/index.ts')).toBe('door')
    expect(layerOf('runtime/handlers/next-types.ts')).toBe('nextTypes')
    expect(layerOf('runtime/handlers/cache-handler.ts')).toBe('handlers')
    expect(layerOf('runtime/store/scripts/set.ts')).toBe('store')
    expect(layerOf('runtime/debug.ts')).toBe('shared')
    expect(layerOf('test/unit/lint-rules.test.mjs')).toBeUndefined()
  })

  it.each([
    ['plugin/wrapper.ts', '../src/options'],
    ['plugin/index.mts', './index.js'],
    ['plugin/router.ts', 'magic-string'],
    ['plugin/router.ts', 'node:fs'],
    ['runtime/index.ts', './handlers/cache-handler'],
    ['runtime/index.ts', './create-runtime'],
    ['runtime/create-runtime.ts', './handlers/response-handler'],
    ['runtime/create-runtime.ts', './store/redis-store'],
    ['runtime/entries/ioredis.ts', '..'],
    ['runtime/entries/ioredis.ts', '../index'],
    ['runtime/entries/ioredis.ts', '../clients/ioredis'],
    ['runtime/handlers/cache-handler.ts', '../cache/tiered-cache'],
    ['runtime/cache/tiered-cache.ts', '../store/entries'],
    ['runtime/store/entries.ts', '../clients/client'],
    ['runtime/store/entries.ts', '../../src/record'],
    ['runtime/clients/ioredis.ts', 'ioredis'],
    ['src/key-names.ts', 'node:crypto'],
    ['examples/store/next.config.ts', 'next-distributed-cache'],
    ['examples/store/app/page.tsx', '../lib/catalogue'],
  ])('%s may import %s', (from, specifier) => {
    expect(value(from, specifier)).toBeUndefined()
  })

  it.each([
    ['src/options.ts', '../runtime/index'],
    ['src/options.ts', '../plugin/index'],
    ['src/options.ts', 'node:fs'],
    ['src/options.ts', 'fs/promises'],
    ['src/options.ts', 'next'],
    ['src/options.ts', 'redis'],
    ['plugin/wrapper.ts', '../runtime'],
    ['plugin/wrapper.ts', '../runtime/handlers/next-types'],
    ['plugin/wrapper.ts', '../templates/router'],
    ['plugin/wrapper.ts', 'ioredis'],
    ['templates/router.ts', '../src/options'],
    ['templates/router.ts', '../runtime'],
    ['templates/router.ts', '../runtime/clients/ioredis'],
    ['templates/router.ts', '../runtime/entries/contract'],
    ['runtime/index.ts', './entries/ioredis'],
    ['runtime/index.ts', '../plugin/index'],
    ['runtime/entries/ioredis.ts', '../handlers/cache-handler'],
    ['runtime/handlers/cache-handler.ts', '../store/entries'],
    ['runtime/handlers/cache-handler.ts', '../index'],
    ['runtime/cache/tiered-cache.ts', '../handlers/cache-handler'],
    ['runtime/cache/tiered-cache.ts', '../handlers/next-types'],
    ['runtime/cache/tiered-cache.ts', '../clients/ioredis'],
    ['runtime/memory/lru.ts', '../store/entries'],
    ['runtime/handlers/cache-handler.ts', '../build-output/build-output'],
    ['runtime/cache/build-tier.ts', '../build-output/build-output'],
    ['runtime/store/entries.ts', '../bus/bus'],
    ['runtime/store/entries.ts', 'ioredis'],
    ['runtime/clients/ioredis.ts', '../store/entries'],
    ['runtime/debug.ts', './cache/tiered-cache'],
    ['examples/store/next.config.ts', '../../plugin/index'],
  ])('%s must not import %s', (from, specifier) => {
    expect(value(from, specifier)).toEqual(expect.any(String))
  })

  it('lets types reach further than values', () => {
    expect(type('templates/router.ts', '../runtime')).toBeUndefined()
    expect(type('templates/router.ts', '../runtime/entries/contract')).toBeUndefined()
    expect(type('runtime/cache/tiered-cache.ts', '../handlers/next-types')).toBeUndefined()
    expect(type('runtime/handlers/cache-handler.ts', '../clients/client')).toBeUndefined()
    expect(type('runtime/handlers/cache-handler.ts', '../build-output/build-output')).toBeUndefined()
    expect(type('src/options.ts', '../runtime/index')).toEqual(expect.any(String))
    expect(type('plugin/wrapper.ts', '../runtime/index')).toEqual(expect.any(String))
    expect(type('templates/router.ts', '../runtime/clients/client')).toEqual(expect.any(String))
    expect(type('runtime/store/entries.ts', '../cache/tiered-cache')).toEqual(expect.any(String))
  })
})

describe('oxlint with the configuration of this repository', () => {
  const folders = []
  afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))))

  async function lint(files) {
    const folder = await mkdtemp(join(tmpdir(), 'ndc-lint-'))
    folders.push(folder)
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true })
      await writeFile(join(folder, path), text)
    }
    const packageFile = createRequire(import.meta.url).resolve('oxlint/package.json')
    const oxlint = join(dirname(packageFile), 'bin', 'oxlint')
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [oxlint, '-c', join(root, '.oxlintrc.json'), '-f', 'unix', '.'],
        { cwd: folder },
        (error, stdout, stderr) => resolve({ code: error?.code ?? 0, output: stdout + stderr }),
      )
    })
  }

  it('accepts imports that point down', async () => {
    const { code, output } = await lint({
      'src/a.ts': 'export const a = 1\n',
      'plugin/b.ts': "export { a } from '../src/a'\n",
    })
    expect(output).not.toContain('house')
    expect(code).toBe(0)
  })

  it('rejects every form of import that points up, with file and line', async () => {
    const { code, output } = await lint({
      'plugin/p.ts': 'export const p = 1\nexport type P = number\n',
      'src/static.ts': "\nimport { p } from '../plugin/p'\nexport const q = p\n",
      'src/type.ts': "import type { P } from '../plugin/p'\nexport type Q = P\n",
      'src/reexport.ts': "export { p } from '../plugin/p'\n",
      'src/star.ts': "export * from '../plugin/p'\n",
      'src/dynamic.ts': "export const q = () => import('../plugin/p')\n",
      'src/require.ts': "export const q = require('../plugin/p')\n",
      'src/equals.ts': "import q = require('../plugin/p')\nexport const r = q\n",
      'src/import-type.ts': "export type Q = import('../plugin/p').P\n",
    })
    expect(code).toBe(1)
    expect(output).toContain('src/static.ts:2:')
    const names = ['static', 'type', 'reexport', 'star', 'dynamic', 'require', 'equals', 'import-type']
    for (const name of names) expect(output).toMatch(new RegExp(`src/${name}\\.ts:.*house\\(layers\\)`))
  })

  it('rejects cycles, and synchronous file system calls where a request waits', async () => {
    const { code, output } = await lint({
      'src/a.ts': "import { b } from './b'\nexport const a = () => b\n",
      'src/b.ts': "import { a } from './a'\nexport const b = () => a\n",
      'runtime/store/member.ts': "import * as fs from 'node:fs'\nexport const s = fs.readFileSync('x')\n",
      'runtime/cache/named.ts': "import { statSync } from 'node:fs'\nexport const s = statSync('x')\n",
      'plugin/fine.ts': "import { statSync } from 'node:fs'\nexport const s = statSync('x')\n",
    })
    expect(code).toBe(1)
    expect(output).toMatch(/src\/a\.ts:.*import\(no-cycle\)/)
    expect(output).toMatch(/member\.ts:2:.*house\(no-sync-fs\)/)
    expect(output).toMatch(/named\.ts:1:.*house\(no-sync-fs\)/)
    expect(output).not.toContain('fine.ts')
  })
})
