// Installs a copy of the store with npm or pnpm, as its user would. What does not change with this
// package (Next.js, React, TypeScript, the driver) npm installs once; the copies share those files.
import { copyFile, link, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hashOf, once } from './cache-directory.mjs'
import { neutralEnv, npm } from './processes.mjs'

/** The last major that runs on every Node this package supports. */
const PNPM = 'pnpm@10.34.8'
const INSTALL = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']

/**
 * @param {string} cell where the outermost package.json is
 * @param {string[]} manifests every package.json below it, as relative paths
 * @param {{ manager: string, name: string, without: string }} choice `without`: the package that comes from a tarball
 */
export async function installApp(cell, manifests, { manager, name, without }) {
  const options = { cwd: cell, env: neutralEnv() }
  if (manager === 'pnpm') {
    // No lock file comes with the copy, and with CI set pnpm would insist on one.
    return npm(['exec', '--yes', '--', PNPM, 'install', '--prefer-offline', '--no-frozen-lockfile'], options)
  }
  const contents = {}
  for (const path of manifests) {
    const manifest = JSON.parse(await readFile(join(cell, path), 'utf8'))
    if (manifest.dependencies) delete manifest.dependencies[without]
    contents[path] = JSON.stringify(manifest, null, 2)
  }
  const base = await once('installs', name, await hashOf([contents, process.version]), async (directory) => {
    for (const [path, content] of Object.entries(contents)) {
      await mkdir(join(directory, path, '..'), { recursive: true })
      await writeFile(join(directory, path), content)
    }
    await npm(INSTALL, { cwd: directory, env: neutralEnv() })
    return directory
  })
  await linkTree(join(base, 'node_modules'), join(cell, 'node_modules'))
  await copyFile(join(base, 'package-lock.json'), join(cell, 'package-lock.json'))
  return npm(INSTALL, options)
}

/** Copies directories and symbolic links, and links files: nothing writes to installed files in place. */
async function linkTree(from, to) {
  await mkdir(to, { recursive: true })
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) await linkTree(source, target)
    else if (entry.isSymbolicLink()) await symlink(await readlink(source), target)
    else await link(source, target).catch(() => copyFile(source, target))
  }
}
