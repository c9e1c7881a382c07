import type { createJiti } from 'jiti'
import { readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { DistributedCacheError } from '../../src/errors'
import { commonJsProblem } from './module-kind'

type Jiti = ReturnType<typeof createJiti>

// Where the compiler is told that the file is: what it makes of `import.meta` is recognised by this, and no
// path of the build machine gets into the output.
const STAND_IN = '/__ndc_fallback__'
const OWN_URL = 'require("node:url").pathToFileURL(__filename).href'
const PATH_OF_OWN_URL =
  /\(0, [\w$]+\.fileURLToPath\)\(require\("node:url"\)\.pathToFileURL\(__filename\)\.href\)/g

function failed(file: string, problem: string): DistributedCacheError {
  return new DistributedCacheError(
    'INVALID_FALLBACK',
    `The fallback module ${file} cannot be compiled to CommonJS: ${problem}. Fix it, or set the option fallback to a CommonJS module.`,
  )
}

/** jiti reports a syntax error as a module that says so. */
function compilerError(code: string): string | undefined {
  const json = /^exports\.__JITI_ERROR__ = (\{.*\})/s.exec(code)?.[1]
  if (json === undefined) return undefined
  const { message, line, column } = JSON.parse(json) as { message?: string; line?: number; column?: number }
  return `${(message ?? 'a syntax error').trim().replace(/\.$/, '')} (${line}:${column})`
}

/** Compiles one TypeScript or ESM file to CommonJS, with its specifiers as they were. */
export function compileModule(jiti: Jiti, file: string): string {
  const extension = extname(file)
  const code = jiti.transform({
    source: readFileSync(file, 'utf8'),
    filename: `${STAND_IN}/module${extension}`,
    ts: /^\.[cm]?tsx?$/.test(extension),
    jsx: extension.endsWith('x'),
  })
  const compiled = code
    .replaceAll(`"file://${STAND_IN}/module${extension}"`, OWN_URL)
    .replaceAll(`"${STAND_IN}/module${extension}"`, '__filename')
    .replaceAll(`"${STAND_IN}"`, '__dirname')
    // The same, in a form that the tracer of Next 16.2 follows to the assets beside the module.
    .replace(PATH_OF_OWN_URL, '__filename')
    .replace(/\bjitiImport\((["'])([^"'\n]+)\1\)/g, 'Promise.resolve().then(() => require($1$2$1))')
    .replace(/\bjitiImport\(/g, '((id) => import(id))(')
  const problem =
    compilerError(code) ??
    (/\bjitiESMResolve\b/.test(compiled) ? 'it uses import.meta.resolve' : undefined) ??
    commonJsProblem(compiled)
  if (problem === undefined) return compiled
  throw failed(file, /\bawait is only valid\b/.test(problem) ? 'it uses await at the top level' : problem)
}
