import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ResolvedOptions } from '../src/options'
import { expandTemplate } from './expand-template'

/** Everything that is particular to one application in the generated router. */
export interface RouterContents {
  readonly options: ResolvedOptions
  /** `cacheMaxMemorySize` as the application had it [bytes]. */
  readonly memoryBytes: number
  /** `images.maximumDiskCacheSize` as the application had it [bytes]. */
  readonly imageDiskBytes: number | undefined
  /** True when the application's own `cacheHandler` took images. */
  readonly imagesInHandler: boolean
  /** What the router requires for each previous handler, relative to the router. */
  readonly fallback: Readonly<Partial<Record<'cacheHandler' | 'default' | 'remote', string>>>
}

const json = (value: unknown): string => JSON.stringify(value, undefined, 2)

function fallbackCode(fallback: RouterContents['fallback']): string {
  const lines = Object.entries(fallback).map(
    ([kind, path]) => `  ${kind}: () => require(${JSON.stringify(path)}),`,
  )
  return lines.length === 0 ? '{}' : `{\n${lines.join('\n')}\n}`
}

/** The text of the router: the same for the same contents, on every machine. */
export function routerText(contents: RouterContents): string {
  const { options, memoryBytes, imageDiskBytes, imagesInHandler, fallback } = contents
  const template = readFileSync(join(__dirname, '..', 'templates', 'router.js'), 'utf8')
  return expandTemplate(template, {
    __NDC_OPTIONS__: json(options),
    __NDC_STOCK__: json({ memoryBytes, imageDiskBytes, imagesInHandler }),
    __NDC_FALLBACK__: fallbackCode(fallback),
  })
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Writes a file at once or not at all, and not when it is already so: the disk may be read-only. */
export function writeIfChanged(path: string, text: string): void {
  if (readIfThere(path) === text) return
  mkdirSync(dirname(path), { recursive: true })
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`
  try {
    writeFileSync(temporary, text)
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}
