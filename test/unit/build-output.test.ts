import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BuildOutput } from '../../runtime/build-output/build-output'
import type { CacheHandlerGetContext } from '../../runtime/handlers/next-types'
import {
  type BuildFixture,
  createBuildFixture,
  FIXTURE_TIME,
  fixtureMeta,
  type KeyFormat,
} from '../support/build-fixture'

const PAGE: CacheHandlerGetContext = { kind: 'APP_PAGE', isFallback: false, isRoutePPREnabled: false }
const PARTIAL: CacheHandlerGetContext = { ...PAGE, isRoutePPREnabled: true }
const LEGACY: CacheHandlerGetContext = { kind: 'PAGES', isFallback: false }

describe.each(['path', 'scoped'] as KeyFormat[])(
  'the output of a build, keys of the format "%s"',
  (format) => {
    let build: BuildFixture
    let output: BuildOutput

    beforeEach(() => {
      build = createBuildFixture(format)
      output = new BuildOutput()
    })
    afterEach(() => build.remove())

    const read = (path: string, context = PAGE, key = build.key(context.kind, path)) =>
      output.read({ serverDistDir: build.serverDistDir }, key, context)

    it('a page, with its life and the time at which it was made', async () => {
      build.page('/a', 'one,two', { revalidate: 60, expire: 3600 }, { status: 200 })
      expect(await read('/a')).toEqual({
        value: {
          kind: 'APP_PAGE',
          html: '<html>/a',
          rscData: Buffer.from('rsc of /a'),
          postponed: undefined,
          headers: { 'x-next-cache-tags': 'one,two' },
          status: 200,
          segmentData: new Map([['/_tree', Buffer.from('tree of /a')]]),
        },
        modifiedAt: FIXTURE_TIME,
        cacheControl: { revalidate: 60, expire: 3600 },
      })
    })

    it('the home page, and a not-found', async () => {
      build.page('/', 't', { revalidate: false })
      build.page('/_not-found', 't', { revalidate: false }, { status: 404 })
      expect(await read('/')).toMatchObject({
        value: { html: '<html>/' },
        cacheControl: { revalidate: false },
      })
      expect(await read('/_not-found')).toMatchObject({ value: { status: 404 } })
    })

    it('a shell has no data of its own, nor has the shell of unknown paths', async () => {
      build.page('/ppr/a', 't', {}, { postponed: 'state' })
      expect((await read('/ppr/a', PARTIAL))?.value).toMatchObject({ postponed: 'state', rscData: undefined })
      build.write({
        'app/shell/[id].html': '<html>shell',
        'app/shell/[id].meta': fixtureMeta(
          format,
          build.key('APP_PAGE', '/shell/[id]'),
          { postponed: 'x' },
          true,
        ),
      })
      const expected = { value: { html: '<html>shell', headers: {} }, cacheControl: { revalidate: false } }
      expect(await read('/shell/[id]', { ...PARTIAL, isFallback: true })).toMatchObject(expected)
      // Also read to complete a page that it begins.
      expect(await read('/shell/[id]', PARTIAL)).toMatchObject(expected)
    })

    it('a shell that the manifest lists as blocking, which partialPrefetching asks for all the same', async () => {
      // What the manifest is written with.
      build.page('/a', 't')
      const meta = fixtureMeta(format, build.key('APP_PAGE', '/upgraded/[id]'), { postponed: 'x' }, true)
      build.write({ 'app/upgraded/[id].html': '', 'app/upgraded/[id].meta': meta })
      const shell = await read('/upgraded/[id]', { ...PARTIAL, isFallback: true })
      expect(shell).toMatchObject({
        value: { html: '', postponed: 'x' },
        cacheControl: { revalidate: false },
      })
    })

    it('a route handler, and a page of the Pages Router', async () => {
      build.page('/api', '')
      build.write({
        'app/api.body': 'body',
        'app/api.meta': fixtureMeta(format, build.key('APP_ROUTE', '/api'), {
          status: 201,
          headers: { 'content-type': 'text/x', 'x-next-cache-tags': 't' },
        }),
      })
      expect((await read('/api', { kind: 'APP_ROUTE' }))?.value).toEqual({
        kind: 'APP_ROUTE',
        body: Buffer.from('body'),
        headers: { 'content-type': 'text/x', 'x-next-cache-tags': 't' },
        status: 201,
      })
      build.legacy('/old')
      output = new BuildOutput()
      expect((await read('/old', LEGACY))?.value).toEqual({
        kind: 'PAGES',
        html: '<html>/old',
        pageData: { pageProps: { path: '/old' } },
        headers: {},
        status: undefined,
      })
    })

    it('nothing for what the build did not prerender, lists without a life, or has lost', async () => {
      build.page('/a', 't')
      expect(await read('/b')).toBeUndefined()
      expect(await read('/blocking/[id]', { ...PARTIAL, isFallback: true })).toBeUndefined()
      expect(await read('/../prerender-manifest')).toBeUndefined()
      expect(await output.read({}, '/a', PAGE)).toBeUndefined()
      rmSync(join(build.serverDistDir, 'app/a.rsc'))
      expect(await read('/a')).toBeUndefined()
      // And it is not looked for again.
      build.page('/a', 't')
      expect(await read('/a')).toBeUndefined()
    })

    it('what it lacks is known once its list is read', async () => {
      build.page('/a', 't')
      const lacks = (path: string) =>
        output.lacks({ serverDistDir: build.serverDistDir }, build.key('APP_PAGE', path))
      expect([lacks('/a'), lacks('/b'), output.lacks({}, '/a')]).toEqual([false, false, true])
      await read('/b')
      expect([lacks('/a'), lacks('/b')]).toEqual([false, true])
    })

    it('a damaged page, a damaged manifest, or none: nothing, and no error', async () => {
      build.page('/a', 't')
      build.write({ 'app/a.meta': '{' })
      expect(await read('/a')).toBeUndefined()
      for (const broken of ['{', undefined]) {
        output = new BuildOutput()
        build.write({ '../prerender-manifest.json': broken ?? '' })
        if (broken === undefined) rmSync(join(build.serverDistDir, '../prerender-manifest.json'))
        expect(await read('/a')).toBeUndefined()
      }
    })
  },
)

describe('a key of a route', () => {
  const build = createBuildFixture('scoped')
  const read = (key: string, context: CacheHandlerGetContext) =>
    new BuildOutput().read({ serverDistDir: build.serverDistDir }, key, context)

  it('gets nothing that does not confirm to be its own', async () => {
    build.page('/a', 't')
    const key = build.key('APP_PAGE', '/a')
    expect(await read(key, PAGE)).toBeDefined()
    expect(await read(key.replace(/[0-9a-f]{64}/, '0'.repeat(64)), PAGE)).toBeUndefined()
    expect(await read(key, { ...PAGE, isFallback: true })).toBeUndefined()
    expect(await read(key, { ...PARTIAL, isFallback: true })).toBeUndefined()
    build.remove()
  })
})
