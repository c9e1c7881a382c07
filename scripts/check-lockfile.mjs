// Checks that `npm ci` can work from package-lock.json on any machine:
//
// - no registry host in it (.npmrc sets omit-lockfile-registry-resolved);
// - an entry for every optional package, those of other platforms included. npm leaves out the ones its
//   registry did not show it when the lock file was written, and `npm ci` then refuses the whole file.
//
// `--fix` adds the missing entries. Their version is the exact one that the depending package names, their platform
// is in their name; npm adds the integrity hash when it installs them for the first time.
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const file = join(dirname(dirname(fileURLToPath(import.meta.url))), 'package-lock.json')
const lock = JSON.parse(readFileSync(file, 'utf8'))

const systems = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32']
const processors = ['arm64', 'arm', 'ia32', 'ppc64', 'riscv64', 's390x', 'x64']
const libraries = { gnu: 'glibc', gnueabihf: 'glibc', musl: 'musl', musleabihf: 'musl' }

/** `@scope/binding-linux-arm64-musl` says where it runs. */
function platformOf(name) {
  const words = name.split(/[/-]/)
  const pick = (list) => list.filter((word) => words.includes(word))
  const platform = { os: pick(systems), cpu: pick(processors) }
  if (platform.os.length !== 1 || platform.cpu.length !== 1) return undefined
  const libc = words.map((word) => libraries[word]).filter(Boolean)
  return libc.length === 1 ? { ...platform, libc } : platform
}

/** Where Node.js would find `name` from the package at `path`, as far as the lock file goes. */
function isLocked(path, name) {
  for (let folder = path; ; folder = folder.slice(0, folder.lastIndexOf('/node_modules/'))) {
    if (lock.packages[`${folder}/node_modules/${name}`]) return true
    if (!folder.includes('/node_modules/')) return lock.packages[`node_modules/${name}`] !== undefined
  }
}

const problems = []
const missing = new Map()
for (const [path, entry] of Object.entries(lock.packages)) {
  if (entry.resolved?.startsWith('http')) problems.push(`${path} names a registry: remove "resolved".`)
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (!isLocked(path, name)) missing.set(name, { version, dev: entry.dev ?? false })
  }
}

if (process.argv.includes('--fix')) {
  for (const [name, { version, dev }] of missing) {
    const platform = platformOf(name)
    if (platform === undefined || !/^\d+\.\d+\.\d+$/.test(version)) {
      problems.push(`${name}@${version} is missing, and its platform or version is not plain from its name.`)
      continue
    }
    lock.packages[`node_modules/${name}`] = { version, ...(dev ? { dev } : {}), optional: true, ...platform }
  }
  const sorted = Object.entries(lock.packages).toSorted(([a], [b]) => a.localeCompare(b, 'en'))
  lock.packages = Object.fromEntries(sorted)
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
} else if (missing.size > 0) {
  problems.push(`${missing.size} optional packages are missing, ${[...missing.keys()][0]} for one.`)
  problems.push('Run: node scripts/check-lockfile.mjs --fix')
}

for (const problem of problems) console.error(`package-lock.json: ${problem}`)
process.exitCode = problems.length === 0 ? 0 : 1
