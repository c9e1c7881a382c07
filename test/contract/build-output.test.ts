import { afterAll, expect, it } from 'vitest'
import { BuildOutput } from '../../runtime/build-output/build-output'
import type { CacheHandlerClass, CacheHandlerGetContext } from '../../runtime/handlers/next-types'
import { createBuildFixture, fixtureMeta } from '../support/build-fixture'

// What the installed Next's own file cache makes of a build, and what we make of it.
const { default: FileSystemCache } = require('next/dist/server/lib/incremental-cache/file-system-cache') as {
  default: CacheHandlerClass
}
const { nodeFs } = require('next/dist/server/lib/node-fs-methods') as { nodeFs: object }

const build = createBuildFixture('scoped')
afterAll(() => build.remove())

build.page('/', 't')
build.page('/page', 't,u', { revalidate: false }, { status: 404 })
build.page('/partial', 't', {}, { postponed: 'state' })
build.page('/api', '')
build.legacy('/legacy')
build.write({
  'app/api.body': 'body',
  'app/api.meta': fixtureMeta('scoped', build.key('APP_ROUTE', '/api'), {
    status: 201,
    headers: { 'x-next-cache-tags': 't' },
  }),
  'app/shell/[id].html': 'shell',
  'app/shell/[id].meta': fixtureMeta(
    'scoped',
    build.key('APP_PAGE', '/shell/[id]'),
    { postponed: 'x', headers: {} },
    true,
  ),
})

it.each<[string, CacheHandlerGetContext]>([
  ['/', { kind: 'APP_PAGE' }],
  ['/page', { kind: 'APP_PAGE', isFallback: false, isRoutePPREnabled: false }],
  ['/page', { kind: 'APP_PAGE', isFallback: false, isRoutePPREnabled: true }],
  ['/page', { kind: 'APP_PAGE', isFallback: true, isRoutePPREnabled: true }],
  ['/partial', { kind: 'APP_PAGE', isFallback: false, isRoutePPREnabled: true }],
  ['/shell/[id]', { kind: 'APP_PAGE', isFallback: true, isRoutePPREnabled: true }],
  ['/shell/[id]', { kind: 'APP_PAGE', isFallback: false, isRoutePPREnabled: true }],
  ['/shell/[id]', { kind: 'APP_PAGE', isFallback: false, isRoutePPREnabled: false }],
  ['/api', { kind: 'APP_ROUTE', isFallback: false }],
  ['/legacy', { kind: 'PAGES', isFallback: false }],
  ['/absent', { kind: 'APP_PAGE', isFallback: false }],
])('%s as Next reads it: %j', async (path, context) => {
  const { serverDistDir } = build
  const key = build.key(context.kind, path)
  const next = new FileSystemCache({
    fs: nodeFs,
    flushToDisk: false,
    serverDistDir,
    revalidatedTags: [],
    maxMemoryCacheSize: 0,
  })
  const theirs = await next.get(key, context)
  const ours = await new BuildOutput().read({ serverDistDir }, key, context)
  if (theirs === null) return expect(ours).toBeUndefined()
  expect(ours?.modifiedAt).toBe(theirs.lastModified)
  const value = { ...theirs.value, headers: (theirs.value as { headers?: object }).headers ?? {} }
  expect(ours?.value).toEqual(value)
})
