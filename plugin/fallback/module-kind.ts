import { readFileSync } from 'node:fs'
import { Module } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { Script } from 'node:vm'

const COMPILED = new Set(['.ts', '.tsx', '.mts', '.cts', '.mjs', '.jsx'])

/** `type` of the package.json that governs a file. */
function packageType(file: string): string | undefined {
  for (let directory = dirname(file); ; directory = dirname(directory)) {
    try {
      const text = readFileSync(join(directory, 'package.json'), 'utf8')
      return (JSON.parse(text) as { type?: string }).type
    } catch {
      // None here, or not readable: the next one up governs.
    }
    if (dirname(directory) === directory) return undefined
  }
}

/** Why a text cannot run as CommonJS; undefined when it can. */
export function commonJsProblem(code: string): string | undefined {
  try {
    // Parsed, not run.
    void new Script(Module.wrap(code))
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** True for a module that `require` cannot load on every supported Node.js. */
export function needsCompiling(file: string): boolean {
  const extension = extname(file)
  if (COMPILED.has(extension)) return true
  if (extension !== '.js') return false
  const type = packageType(file)
  if (type !== undefined) return type === 'module'
  const source = readFileSync(file, 'utf8')
  return /\b(?:import|export)\b/.test(source) && commonJsProblem(source) !== undefined
}
