import { AsyncLocalStorage } from 'node:async_hooks'
import { createRequire } from 'node:module'
import { expect, it } from 'vitest'
import { currentRequest } from '../../runtime/handlers/consumer'
import type { CacheHandlerContext } from '../../runtime/handlers/next-types'

// Next's server does this before anything of it is loaded.
;(globalThis as { AsyncLocalStorage?: unknown }).AsyncLocalStorage = AsyncLocalStorage
const require = createRequire(__filename)
const { IncrementalCache } = require('next/dist/server/lib/incremental-cache') as {
  IncrementalCache: new (options: object) => object
}
const { createWorkStore } = require('next/dist/server/async-storage/work-store') as {
  createWorkStore: (context: object) => object
}
const { workAsyncStorage } = require('next/dist/server/app-render/work-async-storage.external.js') as {
  workAsyncStorage: AsyncLocalStorage<object>
}

it('both interfaces know a request by the same object', () => {
  const requestHeaders = { host: 'shop.example' }
  let context: CacheHandlerContext | undefined
  const incrementalCache = new IncrementalCache({
    dev: false,
    minimalMode: false,
    serverDistDir: '',
    requestHeaders,
    previewProps: { previewModeId: 'id', previewModeEncryptionKey: '', previewModeSigningKey: '' },
    prerenderManifest: { preview: { previewModeId: 'id' }, routes: {}, dynamicRoutes: {} },
    getPrerenderManifest: () => ({ version: 4, routes: {}, dynamicRoutes: {}, preview: {} }),
    fetchCacheKeyPrefix: '',
    CurCacheHandler: class {
      constructor(given: CacheHandlerContext) {
        context = given
      }
    },
  })
  expect(context?._requestHeaders).toBe(requestHeaders)
  const store = createWorkStore({ page: '/page', renderOpts: { incrementalCache, experimental: {} } })
  expect(workAsyncStorage.run(store, currentRequest)).toBe(requestHeaders)
  expect(currentRequest()).toBeUndefined()
})
