import type { CacheControl, CacheHandlerContext, CacheHandlerGetContext } from '../handlers/next-types'
import { type PrerenderedLives, readPartialPrefetching, readPrerenderedLives } from './prerender-manifest'
import { type PrerenderedFiles, readPrerendered } from './prerendered-files'

export interface PrerenderedResponse extends PrerenderedFiles {
  readonly cacheControl: CacheControl
}

/**
 * The responses that this build prerendered, out of its files. One per process; what the build did not
 * prerender costs no I/O after the first call. Never rejects.
 */
export class BuildOutput {
  private lives: Promise<PrerenderedLives> | undefined
  /** The same, once it is read. */
  private known: PrerenderedLives | undefined
  private completes: boolean | undefined
  /** In the manifest, but without files: bounded by the manifest. */
  private readonly missing = new Set<string>()

  /** Whether it is known already, without a look at any file, that the build prerendered nothing under the key. */
  lacks({ serverDistDir, dev }: CacheHandlerContext, cacheKey: string): boolean {
    if (serverDistDir === undefined || dev === true) return true
    return this.known !== undefined && pathOf(cacheKey, this.known) === undefined
  }

  /**
   * Whether Next completes the shell of a route behind the back of who was answered with it, into an entry for the path
   * (`partialPrefetching`, next@16.4). It does for all that is known until the configuration was read.
   */
  completesShells({ serverDistDir, dev }: CacheHandlerContext): boolean {
    if (this.completes === undefined && serverDistDir !== undefined && dev !== true) {
      this.completes = true
      readPartialPrefetching(serverDistDir).then(
        (isOn) => (this.completes = isOn),
        () => {},
      )
    }
    return this.completes ?? true
  }

  async read(
    { serverDistDir, dev }: CacheHandlerContext,
    cacheKey: string,
    context: CacheHandlerGetContext,
  ): Promise<PrerenderedResponse | undefined> {
    if (serverDistDir === undefined || dev === true) return undefined
    // An unreadable manifest means a build without prerendered pages, for good.
    this.lives ??= readPrerenderedLives(serverDistDir).catch(() => new Map())
    const lives = (this.known = await this.lives)
    const path = pathOf(cacheKey, lives)
    const cacheControl = path === undefined ? undefined : lives.get(path)
    if (path === undefined || cacheControl === undefined || this.missing.has(path)) return undefined
    try {
      const { kind, isFallback, isRoutePPREnabled } = context
      const scopedKey = path === cacheKey ? undefined : cacheKey
      const files = await readPrerendered(serverDistDir, {
        kind,
        path,
        scopedKey,
        isFallback,
        isRoutePPREnabled,
      })
      return files && { ...files, cacheControl }
    } catch {
      this.missing.add(path)
      return undefined
    }
  }
}

/**
 * Where the files of a key may be: before Next 16.3.8 a key is their path. Later ones only resemble it, and the
 * files have to confirm that the key is theirs; what resembles nothing is not served.
 */
function pathOf(cacheKey: string, lives: PrerenderedLives): string | undefined {
  if (lives.has(cacheKey)) return cacheKey
  const marker = cacheKey.indexOf('/$/')
  const path = marker === -1 ? '' : cacheKey.slice(marker + 2)
  return lives.has(path) ? path : undefined
}
