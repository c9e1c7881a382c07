import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { CacheHandlerGetContext, ResponseValue } from '../handlers/next-types'

/** The `.meta` file beside a prerendered response. */
interface Meta {
  status?: number
  headers?: Record<string, string | string[]>
  postponed?: string
  segmentPaths?: string[]
  /** From Next 16.3.8 on: the key under which the server asks for it. */
  routeCache?: { key: string; isFallback: boolean }
}

export interface PrerenderedFiles {
  readonly value: ResponseValue
  /** When the build wrote it, by the builder's clock [ms]. */
  readonly modifiedAt: number
}

/** What is asked for. `path`: of the files; `scopedKey`: the key, when it is not simply that path. */
export interface Wanted extends Pick<CacheHandlerGetContext, 'kind' | 'isFallback' | 'isRoutePPREnabled'> {
  readonly path: string
  readonly scopedKey: string | undefined
}

/**
 * The prerendered response in the files of the build; undefined when they are not what is asked for. As
 * Next's `FileSystemCache` reads them (next@16.2 to 16.4), without its synchronous calls.
 *
 * @throws when a file is missing or damaged
 */
export async function readPrerendered(
  serverDistDir: string,
  wanted: Wanted,
): Promise<PrerenderedFiles | undefined> {
  const base = join(serverDistDir, wanted.kind === 'PAGES' ? 'pages' : 'app', wanted.path)
  const content = wanted.kind === 'APP_ROUTE' ? `${base}.body` : `${base}.html`
  const [meta, { mtimeMs }] = await Promise.all([readMeta(base, wanted.kind), stat(content)])
  if (!answers(meta, wanted)) return undefined
  return { value: await readValue(base, meta, wanted), modifiedAt: mtimeMs }
}

async function readMeta(base: string, kind: Wanted['kind']): Promise<Meta> {
  try {
    return JSON.parse(await readFile(`${base}.meta`, 'utf8')) as Meta
  } catch (error) {
    // The Pages Router has none before 16.3; anything else cannot be judged without its tags.
    if (kind === 'PAGES' && (error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
}

/** Keys are opaque: that the files belong to one, only they can say. */
function answers({ routeCache, postponed }: Meta, wanted: Wanted): boolean {
  if (wanted.scopedKey === undefined) return true
  if (routeCache?.key !== wanted.scopedKey) return false
  // Shells are also read on behalf of the pages that they begin.
  const isShell = wanted.kind === 'APP_PAGE' && wanted.isRoutePPREnabled && postponed !== undefined
  return routeCache.isFallback === (wanted.isFallback ?? false) || isShell === true
}

async function readValue(base: string, meta: Meta, wanted: Wanted): Promise<ResponseValue> {
  const { status, headers = {} } = meta
  switch (wanted.kind) {
    case 'APP_ROUTE':
      return { kind: 'APP_ROUTE', body: await readFile(`${base}.body`), headers, status: status ?? 200 }
    case 'PAGES': {
      const [html, pageData] = await Promise.all([
        readFile(`${base}.html`, 'utf8'),
        wanted.isFallback === true ? '{}' : readFile(`${base}.json`, 'utf8'),
      ])
      return { kind: 'PAGES', html, pageData: JSON.parse(pageData) as object, headers, status }
    }
    case 'APP_PAGE': {
      const { postponed } = meta
      const isWhole = !(wanted.isFallback || (wanted.isRoutePPREnabled && postponed !== undefined))
      const [html, rscData, segmentData] = await Promise.all([
        readFile(`${base}.html`, 'utf8'),
        isWhole ? readFile(`${base}.rsc`) : undefined,
        meta.segmentPaths && readSegments(`${base}.segments`, meta.segmentPaths),
      ])
      return { kind: 'APP_PAGE', html, rscData, postponed, headers, status, segmentData }
    }
    default:
      throw new Error(`the build prerenders nothing of kind ${wanted.kind}`)
  }
}

async function readSegments(directory: string, paths: readonly string[]): Promise<Map<string, Buffer>> {
  const segments = await Promise.all(
    paths.map(async (path) => {
      // As in Next: without its segment a prefetch is a dynamic one.
      const data = await readFile(`${directory}${path}.segment.rsc`).catch(() => undefined)
      return data && ([path, data] as const)
    }),
  )
  return new Map(segments.filter((segment) => segment !== undefined))
}
