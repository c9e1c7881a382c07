import { createJiti } from 'jiti'
import { realpathSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DistributedCacheError } from '../../src/errors'
import { writeIfChanged } from '../router-file'
import { compileModule } from './compile-module'
import { commonJsProblem, needsCompiling } from './module-kind'

const REQUIRE = /\brequire\((["'])([^"'\n]+)\1\)/g

/** Compiled modules by the path of their source. */
export type CompiledModules = ReadonlyMap<string, { readonly path: string; readonly plainCode: string }>

export interface Closure {
  /** What to require instead of each root, in order. */
  readonly roots: readonly string[]
  readonly compiled: CompiledModules
}

const toPosix = (path: string): string => path.split(sep).join('/')

/** How one file requires another, with forward slashes and a leading dot. */
export function requirePath(from: string, to: string): string {
  const path = toPosix(relative(dirname(from), to))
  return path.startsWith('.') ? path : `./${path}`
}

function compiledPath(file: string, projectDirectory: string, directory: string): string {
  const segments = toPosix(relative(projectDirectory, file)).split('/')
  const safe = segments.map((segment) =>
    segment === '..' || segment === 'node_modules' ? `_${segment.replace('..', 'up')}` : segment,
  )
  return join(directory, `${safe.join('/')}.cjs`)
}

/** False in a comment or a text, which parses whatever stands there. */
const isCode = (text: string, index: number): boolean =>
  commonJsProblem(`${text.slice(0, index)}@${text.slice(index)}`) !== undefined

/** `__dirname` and `__filename` go on naming the source's place: assets are read from beside it. */
function keepPlace(code: string, from: string, source: string): string {
  if (!/\b__(?:dirname|filename)\b/.test(code)) return code
  const place = `__filename = require("node:path").join(__dirname, ${JSON.stringify(toPosix(relative(dirname(from), source)))});__dirname = require("node:path").dirname(__filename);`
  return code.startsWith('"use strict";')
    ? `"use strict";${place}${code.slice('"use strict";'.length)}`
    : place + code
}

/**
 * Compiles the roots, and whatever of their closure is TypeScript or ESM, to CommonJS below `directory`.
 * What is CommonJS stays where it is. The compiled files find both at run time: a specifier that does not
 * lead to the same module from its new place becomes a relative path.
 */
export function compileClosure(
  roots: readonly string[],
  projectDirectory: string,
  directory: string,
): Closure {
  const jiti = createJiti(join(projectDirectory, 'package.json'), {
    fsCache: false,
    moduleCache: false,
    tsconfigPaths: true,
  })
  const compiled = new Map<string, { path: string; plainCode: string }>()

  const resolve = (specifier: string, from: string): string | undefined => {
    if (isBuiltin(specifier)) return undefined
    // The conditions of `require`, since that is what will ask; an ESM-only package is found all the same.
    const found = jiti.esmResolve(specifier, { parentURL: from, try: true, conditions: ['node', 'require'] })
    return found === undefined ? undefined : realpathSync(fileURLToPath(found))
  }

  const rewritten = (specifier: string, source: string, path: string, isReal: () => boolean): string => {
    const target = resolve(specifier, source)
    if (target === undefined) {
      if (isBuiltin(specifier) || !/^\.{0,2}\//.test(specifier) || !isReal()) return specifier
      throw new DistributedCacheError(
        'INVALID_FALLBACK',
        `The fallback module ${source} imports ${JSON.stringify(specifier)}, which does not exist. Fix the import.`,
      )
    }
    if (needsCompiling(target)) return requirePath(path, visit(target))
    try {
      if (realpathSync(createRequire(path).resolve(specifier)) === target) return specifier
    } catch {
      // Not found from the new place.
    }
    return requirePath(path, target)
  }

  const visit = (source: string): string => {
    const known = compiled.get(source)
    if (known !== undefined) return known.path
    const path = compiledPath(source, projectDirectory, directory)
    const plainCode = compileModule(jiti, source)
    // Before its imports: they may lead back to it.
    compiled.set(source, { path, plainCode })
    const code = plainCode.replace(REQUIRE, (_match, quote: string, specifier: string, index: number) => {
      const isReal = () => isCode(plainCode, index)
      return `require(${quote}${rewritten(specifier, source, path, isReal)}${quote})`
    })
    writeIfChanged(path, keepPlace(code, path, source))
    return path
  }

  return { roots: roots.map((root) => (needsCompiling(root) ? visit(root) : root)), compiled }
}
