import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Variables } from '../../src/environment'

/** Set by the wrapper when the configuration is evaluated; absolute, and of this process only. */
const ROUTER_VARIABLE = 'NEXT_DISTRIBUTED_CACHE_ROUTER'
const ROUTER_FILE = join('distributed-cache', 'router.cjs')

/** `distDir` of the configuration that a standalone server carries. */
function standaloneDistDir(variables: Variables): string | undefined {
  try {
    const config = JSON.parse(variables['__NEXT_PRIVATE_STANDALONE_CONFIG'] ?? '{}') as { distDir?: unknown }
    return typeof config.distDir === 'string' ? config.distDir : undefined
  } catch {
    return undefined
  }
}

/** Where the router may be, likeliest first. */
export function routerCandidates(variables: Variables, currentDirectory: string): string[] {
  const candidates: string[] = []
  const distDir = standaloneDistDir(variables)
  // First: a variable that a standalone server inherited names the router of somebody else's build.
  if (distDir !== undefined) candidates.push(join(currentDirectory, distDir, ROUTER_FILE))
  const named = variables[ROUTER_VARIABLE]
  if (named !== undefined && named !== '') candidates.push(named)
  candidates.push(join(currentDirectory, '.next', ROUTER_FILE))
  return [...new Set(candidates)]
}

/** The path of the generated router, or undefined: then this build was made without the wrapper, or incompletely copied. */
export function findRouter(variables: Variables, currentDirectory: string): string | undefined {
  return routerCandidates(variables, currentDirectory).find((path) => existsSync(path))
}
