import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { NextConfig } from 'next'
import { onTestFinished } from 'vitest'

export const repository = dirname(dirname(__dirname))
export const dist = join(repository, 'dist')

/** The compiled package, as Next loads it: plugin and entries find their files by where they are. */
export const requireBuilt = createRequire(join(dist, 'package.json'))

export const { withDistributedCache } = requireBuilt(
  './plugin/index.js',
) as typeof import('../../plugin/index')

type Shape =
  | NextConfig
  | Promise<NextConfig>
  | ((phase: string, context: { defaultConfig: NextConfig }) => unknown)

/** Evaluates a config of any shape as Next does. */
export async function materialize(config: Shape, phase = 'phase-production-build'): Promise<NextConfig> {
  return (await (typeof config === 'function' ? config(phase, { defaultConfig: {} }) : config)) as NextConfig
}

/** A project directory of its own, gone after the test: files by path, and links to packages of this repository. */
export function createProject(
  files: Record<string, string> = { 'package.json': '{"name":"shop"}' },
  packages: string[] = [],
): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'ndc-plugin-')))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text)
  }
  for (const name of packages) {
    mkdirSync(dirname(join(directory, 'node_modules', name)), { recursive: true })
    symlinkSync(join(repository, 'node_modules', name), join(directory, 'node_modules', name))
  }
  return directory
}

/** Puts a copy of the built package somewhere else, so that it finds other packages, or none. */
export function copyPackage(to: string): void {
  mkdirSync(to, { recursive: true })
  cpSync(dist, join(to, 'dist'), { recursive: true })
  cpSync(join(repository, 'package.json'), join(to, 'package.json'))
}

const OWN_VARIABLES = [
  'NEXT_DISTRIBUTED_CACHE_ROUTER',
  'NEXT_DISTRIBUTED_CACHE_PHASE',
  'NEXT_DISTRIBUTED_CACHE_BUILD_STARTED',
  'DISTRIBUTED_CACHE',
  'NODE_ENV',
]

/** Sets environment variables for one test, and puts back whatever the code under test changes. */
export function withVariables(variables: Record<string, string | undefined> = {}): void {
  const before = Object.fromEntries(
    [...OWN_VARIABLES, ...Object.keys(variables)].map((name) => [name, process.env[name]]),
  )
  const set = (values: Record<string, string | undefined>) => {
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
  set({
    NEXT_DISTRIBUTED_CACHE_ROUTER: undefined,
    NEXT_DISTRIBUTED_CACHE_PHASE: undefined,
    NEXT_DISTRIBUTED_CACHE_BUILD_STARTED: undefined,
    ...variables,
  })
  onTestFinished(() => set(before))
}

/** Makes everything below unchangeable. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const member of Object.values(value)) deepFreeze(member)
  }
  return value
}
