// Installs this repository's dependencies when node_modules is missing or is not what the lock file says.
// Uses nothing but Node.js, so that it can run on a fresh clone.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

const readPackages = (file) => JSON.parse(readFileSync(file, 'utf8')).packages ?? {}

/**
 * The published code runs on every Node.js that Next.js supports, the tools that build and test it do not:
 * TypeScript and vite need a Node.js that loads ES modules with `require`.
 * @returns {string | undefined} why they cannot run here
 */
export function nodeProblem() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const fits = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major >= 23
  return fits
    ? undefined
    : `Node.js ${process.versions.node} cannot run the build tools. Use 20.19 or later, 22.12 or later, or 24.`
}

/** @returns {string | undefined} why an install is needed */
export function staleReason() {
  // npm keeps a lock file of what it installed; it lists optional packages only where they apply.
  const installedFile = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(installedFile)) return 'node_modules is missing'
  const installed = readPackages(installedFile)
  for (const [path, wanted] of Object.entries(readPackages(join(root, 'package-lock.json')))) {
    if (path === '' || wanted.optional || wanted.devOptional || wanted.peer) continue
    if (installed[path]?.version !== wanted.version) {
      return `${path} is ${installed[path]?.version ?? 'missing'}, the lock file says ${wanted.version}`
    }
  }
  return undefined
}

/** Throws when npm fails; npm has said why by then. */
export function ensureDependencies() {
  const reason = staleReason()
  if (reason === undefined) return
  console.log(`Installing dependencies: ${reason}.`)
  const arguments_ = ['ci', '--include=dev', '--no-audit', '--no-fund']
  const npm = process.env.npm_execpath
  const options = { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }
  if (npm?.endsWith('.js')) execFileSync(process.execPath, [npm, ...arguments_], options)
  else execFileSync('npm', arguments_, { ...options, shell: process.platform === 'win32' })
}
