import { expect, it } from 'vitest'
import { createTellLife } from '../../runtime/handlers/told-lives'
import type { CacheControl } from '../../runtime/handlers/next-types'

const OLD = { honoursCacheControl: false }
const LIFE: CacheControl = { revalidate: 60, expire: 300 }
const modules = () => ({
  SharedCacheControls: { cacheControls: new Map<string, CacheControl>() },
  toRoute: (path: string) => path.replace(/(?:\/index)?\/?$/, '') || '/',
})

it.each([
  ['/blog/first', '/blog/first'],
  ['/index', '/'],
  ['/blog/index', '/blog'],
  ['/route-cache/0a1b/$/blog/index', '/route-cache/0a1b/$/blog/index'],
])('before 16.4 the life of %s is told under %s', (cacheKey, asked) => {
  const known = modules()
  createTellLife(OLD, () => known)(cacheKey, LIFE)
  expect([...known.SharedCacheControls.cacheControls]).toEqual([[asked, LIFE]])
})

it('from 16.4 on nothing of Next is touched, since the entry tells it', () => {
  const tell = createTellLife({ honoursCacheControl: true }, () => {
    throw new Error('loaded')
  })
  expect(tell('/blog/first', LIFE)).toBeUndefined()
})

it.each([
  ['has other exports', () => ({}) as never],
  [
    'throws',
    () => {
      throw new Error('Cannot find module')
    },
  ],
  ['is no map', () => ({ ...modules(), SharedCacheControls: { cacheControls: {} as never } })],
])('does nothing where the module %s', (_what, load) => {
  expect(() => createTellLife(OLD, load)('/blog/first', LIFE)).not.toThrow()
})
