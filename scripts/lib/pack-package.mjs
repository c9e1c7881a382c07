// This package as a tarball, the way the registry would hand it out.
import { cp, readdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hashOf, listFiles, once } from './cache-directory.mjs'
import { npm, run } from './processes.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** What the tarball is made from. */
const SCRIPTS = ['scripts/build.mjs', 'scripts/lib/join-modules.mjs']
const SOURCES = [
  'bin',
  'plugin',
  'runtime',
  'src',
  'templates',
  ...SCRIPTS,
  'package.json',
  'tsconfig.json',
  'README.md',
  'LICENSE',
]

/**
 * Builds and packs a copy of the sources, not the working tree: its dist/ may be in use, or in the
 * making, by somebody else.
 *
 * @returns {Promise<{ tarball: string, hash: string }>}
 */
export async function packPackage() {
  const present = new Set((await readdir(root)).concat(SCRIPTS))
  const sources = SOURCES.filter((source) => present.has(source))
  const files = await listFiles(root, (name) =>
    ['node_modules', '.git', '.cache', 'dist', 'examples', 'test', 'docs', 'bench'].includes(name),
  )
  const used = files.filter((file) =>
    sources.some((source) => file === source || file.startsWith(`${source}/`)),
  )
  const hash = await hashOf('package', root, used)
  const tarball = await once('packages', 'package', hash, async (directory) => {
    const copy = join(directory, 'source')
    for (const source of sources) await cp(join(root, source), join(copy, source), { recursive: true })
    await symlink(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction')
    await run(process.execPath, ['scripts/build.mjs'], { name: 'build', cwd: copy })
    const output = await npm(['pack', '--ignore-scripts', '--json', '--pack-destination', directory], {
      cwd: copy,
    })
    const name = /"filename":\s*"([^"]+\.tgz)"/.exec(output)?.[1]
    if (!name) throw new Error(`npm pack did not say what it wrote:\n${output}`)
    return join(directory, name)
  })
  return { tarball, hash }
}
