// Checks what npm would publish: packs it, then asks publint and attw, and a few things that neither asks.
//
//   node scripts/check-package.mjs [--no-build]
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const problems = []

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** The file behind a package's command. */
function binOf(name, command = name) {
  const folder = join(root, 'node_modules', name)
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  return join(folder, typeof bin === 'string' ? bin : bin[command])
}

function runTool(label, script, args) {
  const { status } = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: ['ignore', 1, 2] })
  if (status !== 0) problems.push(`${label} found problems.`)
}

/** Every file that the manifest names. */
function targets(value) {
  if (typeof value === 'string') return value.startsWith('./') ? [value.slice(2)] : []
  return value && typeof value === 'object' ? Object.values(value).flatMap(targets) : []
}

function checkManifest(files) {
  for (const target of targets([manifest.main, manifest.types, manifest.bin, manifest.exports])) {
    if (!files.includes(target)) problems.push(`package.json names ${target}, which is not in the package.`)
  }
  const dependencies = Object.keys(manifest.dependencies ?? {}).join(', ')
  if (dependencies !== 'jiti, magic-string') {
    problems.push(`The only run-time dependencies are jiti and magic-string, not: ${dependencies}.`)
  }
  for (const name of ['ioredis', 'redis']) {
    if (manifest.peerDependenciesMeta?.[name]?.optional !== true)
      problems.push(`${name} must be an optional peer.`)
  }
}

function checkFiles(files) {
  const expected = /^(?:package\.json|README\.md|LICENSE|CHANGELOG\.md|(?:bin|dist)\/.+|docs\/[a-z-]+\.md)$/
  for (const file of files.filter((each) => !expected.test(each)))
    problems.push(`${file} does not belong in it.`)
  for (const file of ['README.md', 'LICENSE', 'CHANGELOG.md', 'docs/operations.md']) {
    if (!files.includes(file)) problems.push(`${file} is not in it.`)
  }
  for (const file of files.filter((each) => /\.(?:[cm]?js|d\.[cm]?ts|json)$/.test(each))) {
    if (readFileSync(join(root, file), 'utf8').includes(root))
      problems.push(`${file} holds a path of this machine.`)
  }
}

if (!process.argv.includes('--no-build')) {
  execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs')], { stdio: 'inherit' })
}
const folder = mkdtempSync(join(tmpdir(), 'ndc-pack-'))
try {
  const arguments_ = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]
  const output = execFileSync('npm', arguments_, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    shell: process.platform === 'win32',
  })
  const [packed] = JSON.parse(output)
  const files = packed.files.map(({ path }) => path)
  console.log(
    `${packed.filename}: ${files.length} files, ${Math.round(packed.unpackedSize / 1024)} KiB unpacked`,
  )
  checkManifest(files)
  checkFiles(files)
  const tarball = join(folder, packed.filename)
  runTool('publint', binOf('publint'), ['run', tarball, '--strict'])
  runTool('attw', binOf('@arethetypeswrong/cli', 'attw'), [tarball, '--profile', 'node16', '--no-emoji'])
} finally {
  rmSync(folder, { recursive: true, force: true })
}
for (const problem of problems) console.error(`package: ${problem}`)
process.exitCode = problems.length === 0 ? 0 : 1
