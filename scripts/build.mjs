// Compiles the package: one tsc run, then the modules of the runtime are joined into a few files, because a
// server that starts pays for each file. What has to be a file stays one: the router template, which is read
// from dist/templates as text, and the paths that next.config points at, plain files below
// dist/runtime/entries, which both bundlers trace into a standalone build.
//
//   node scripts/build.mjs [folder]    default: dist
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { joinModules, removeModules } from './lib/join-modules.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
const folder = resolve(root, process.argv[2] ?? 'dist')

rmSync(folder, { recursive: true, force: true })
execFileSync(process.execPath, [tsc, '-p', 'tsconfig.json', '--outDir', folder], {
  cwd: root,
  stdio: 'inherit',
})

const clients = ['runtime/clients/ioredis.js', 'runtime/clients/node-redis.js']
const inRuntime = joinModules(folder, 'runtime/index.js', clients)
const inHost = joinModules(folder, 'runtime/entries/host.js')
// Those of `src` stay: the plugin uses them, too, where Next.js evaluates the configuration.
removeModules(folder, 'runtime', new Set([...inRuntime, ...inHost]))

// Declarations are for who imports the package: those that its doors do not lead to would only be files to install.
const typed = new Set()
for (const door of ['plugin/index.d.mts', 'plugin/index.d.ts']) addTypes(join(folder, door))
for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
  const path = join(folder, name)
  if (/\.d\.[cm]?ts$/.test(name) && !typed.has(path)) rmSync(path)
}

function addTypes(path) {
  if (typed.has(path)) return
  typed.add(path)
  for (const [, specifier] of readFileSync(path, 'utf8').matchAll(/\b(?:from |import\()["'](\.[^"']*)["']/g))
    addTypes(`${join(dirname(path), specifier.replace(/\.js$/, ''))}.d.ts`)
}
