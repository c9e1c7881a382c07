import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Variables } from '../../src/environment'
import { GENERATED_DIRECTORY, ROUTER_FILE, ROUTER_VARIABLE } from '../../src/wiring'

const ROUTER_BELOW_DIST = join(GENERATED_DIRECTORY, ROUTER_FILE)

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
function routerCandidates(variables: Variables, currentDirectory: string): string[] {
  const candidates: string[] = []
  const distDir = standaloneDistDir(variables)
  // First: a variable that a standalone server inherited names the router of somebody else's build.
  if (distDir !== undefined) candidates.push(join(currentDirectory, distDir, ROUTER_BELOW_DIST))
  const named = variables[ROUTER_VARIABLE]
  if (named !== undefined && named !== '') candidates.push(named)
  candidates.push(join(currentDirectory, '.next', ROUTER_BELOW_DIST))
  return [...new Set(candidates)]
}

/** The path of the generated router, or undefined: then this build was made without the wrapper, or incompletely copied. */
export function findRouter(variables: Variables, currentDirectory: string): string | undefined {
  return routerCandidates(variables, currentDirectory).find((path) => existsSync(path))
}
