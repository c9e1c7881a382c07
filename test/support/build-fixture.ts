import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** How responses are asked for: by their path before Next 16.3.8, by a key of their route since. */
export type KeyFormat = 'path' | 'scoped'

export interface FixtureLife {
  revalidate?: number | false
  expire?: number
}

/** The output of a build as `next build` leaves it, in files of a few bytes. */
export interface BuildFixture {
  readonly serverDistDir: string
  /** The key under which Next asks for a path. */
  key(kind: string, path: string): string
  /** Writes files below server/, last modified at a time [ms]. */
  write(files: Record<string, string>, modifiedAt?: number): void
  /** Adds a page of the App Router. */
  page(path: string, tags: string, life?: FixtureLife, more?: object): void
  /** Adds an ISR page of the Pages Router. */
  legacy(path: string, life?: FixtureLife): void
  remove(): void
}

const SOURCE_ROUTE = '/source'
const SOURCE_HASH = createHash('sha256').update(SOURCE_ROUTE).digest('hex')
export const FIXTURE_TIME = Date.UTC(2026, 0, 2, 3, 4, 5)

export function createBuildFixture(format: KeyFormat, modifiedAt = FIXTURE_TIME): BuildFixture {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'ndc-build-')))
  const serverDistDir = join(root, 'server')
  const manifest = {
    version: 4,
    routes: {} as Record<string, object>,
    dynamicRoutes: {
      '/shell/[id]': { fallback: '/shell/[id].html', fallbackRevalidate: false },
      '/blocking/[id]': { fallback: null },
      '/upgraded/[id]': { fallback: null, fallbackRouteParams: [{ paramName: 'id', paramType: 'dynamic' }] },
    },
    notFoundRoutes: [],
  }
  const list = (path: string, { revalidate = 60, expire }: FixtureLife) => {
    manifest.routes[path] = { initialRevalidateSeconds: revalidate, initialExpireSeconds: expire }
    writeFileSync(join(root, 'prerender-manifest.json'), JSON.stringify(manifest))
  }
  const fileOf = (path: string) => (path === '/' ? '/index' : path)
  const fixture: BuildFixture = {
    serverDistDir,
    key: (kind, path) =>
      format === 'path' ? fileOf(path) : `/route-cache/${kind}/${SOURCE_HASH}/$${fileOf(path)}`,
    write(files, at = modifiedAt) {
      for (const [name, text] of Object.entries(files)) {
        const file = join(serverDistDir, name)
        mkdirSync(dirname(file), { recursive: true })
        writeFileSync(file, text)
        utimesSync(file, at / 1000, at / 1000)
      }
    },
    page(path, tags, life = {}, more = {}) {
      list(path, life)
      const base = `app${fileOf(path)}`
      fixture.write({
        [`${base}.html`]: `<html>${path}`,
        [`${base}.rsc`]: `rsc of ${path}`,
        [`${base}.segments/_tree.segment.rsc`]: `tree of ${path}`,
        [`${base}.meta`]: fixtureMeta(format, fixture.key('APP_PAGE', path), {
          headers: { 'x-next-cache-tags': tags },
          segmentPaths: ['/_tree', '/gone'],
          ...more,
        }),
      })
    },
    legacy(path, life = {}) {
      list(path, life)
      const base = `pages${fileOf(path)}`
      fixture.write({
        [`${base}.html`]: `<html>${path}`,
        [`${base}.json`]: `{"pageProps":{"path":"${path}"}}`,
      })
      if (format === 'scoped')
        fixture.write({ [`${base}.meta`]: fixtureMeta(format, fixture.key('PAGES', path), {}) })
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  }
  mkdirSync(root, { recursive: true })
  writeFileSync(join(root, 'prerender-manifest.json'), JSON.stringify(manifest))
  return fixture
}

/** What stands in a `.meta` file. */
export function fixtureMeta(format: KeyFormat, key: string, meta: object, isFallback = false): string {
  const owner = { kind: key.split('/')[2], sourceRoute: SOURCE_ROUTE }
  return JSON.stringify({ ...meta, ...(format === 'scoped' && { routeCache: { key, owner, isFallback } }) })
}
