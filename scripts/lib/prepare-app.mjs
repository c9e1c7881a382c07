// A built copy of the store: one cell of the matrix of variants, bundlers, package managers and versions.
import { chmod, cp, lstat, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hashOf, listFiles, once } from './cache-directory.mjs'
import { installApp } from './install-app.mjs'
import { startOrigin } from './origin.mjs'
import { packPackage } from './pack-package.mjs'
import { neutralEnv, run } from './processes.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const example = join(root, 'examples', 'store')
const PACKAGE = 'next-distributed-cache'

/**
 * @typedef {object} AppChoice
 * @property {'components' | 'classic'} [variant]
 * @property {'turbopack' | 'webpack'} [bundler]
 * @property {'npm' | 'pnpm' | 'workspace'} [manager] `workspace`: an npm monorepo, the store in apps/store
 * @property {string} [next] version or range; default: the one installed in this repository
 * @property {'ioredis' | 'redis'} [driver] the only one that is installed
 * @property {boolean} [stock] unmodified Next.js: neither this package nor a driver is installed
 * @property {object} [options] options of `withDistributedCache`
 * @property {Record<string, string>} [files] files to add or replace, by path within the app
 * @property {Record<string, string>} [env] more environment for `next build`
 *
 * @typedef {object} PreparedApp
 * @property {string} name the cell, for people
 * @property {string} [driver] none: stock
 * @property {string} directory where the app's next.config.ts is
 * @property {string} nextBin the `next` executable's script
 * @property {string} standalone the standalone build; copy it with `makeStandalone` before use
 * @property {string} serverDirectory where server.js is within it: `.`, or `apps/store` in a monorepo
 * @property {string} buildOutput what `next build` printed
 * @property {number} redisConnections connections to the REDIS_URL that `next build` was given
 */

/**
 * Copies, installs and builds the store. What was built from the same inputs before is not built again.
 *
 * @param {AppChoice} choice
 * @returns {Promise<PreparedApp>}
 */
export async function prepareApp(choice = {}) {
  const repository = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const wanted = {
    variant: 'components',
    bundler: 'turbopack',
    manager: 'npm',
    driver: 'ioredis',
    stock: false,
    options: {},
    files: {},
    env: {},
    next: createRequire(import.meta.url)('next/package.json').version,
    ...choice,
  }
  const package_ = wanted.stock ? undefined : await packPackage()
  const driverRange = repository.devDependencies[wanted.driver]
  const version = wanted.next.replace(/^~(\d+\.\d+)\.\d+$/, '$1.x').replace(/[^\w.]/g, '')
  const installed = [wanted.manager, version, wanted.stock ? 'stock' : wanted.driver].join('-')
  const name = [wanted.variant, wanted.bundler, installed].join('-')
  const files = await listFiles(example, isGenerated)
  const recipe = [
    wanted,
    package_?.hash,
    driverRange,
    process.version,
    // How it is made is an input too.
    await readFile(new URL('prepare-app.mjs', import.meta.url), 'utf8'),
    await readFile(new URL('install-app.mjs', import.meta.url), 'utf8'),
  ]
  const hash = await hashOf(recipe, example, files)

  return once('apps', name, hash, async (cell) => {
    const directory = wanted.manager === 'workspace' ? join(cell, 'apps', 'store') : cell
    await cp(example, directory, {
      recursive: true,
      filter: (source) => !isGenerated(relative(example, source).split(/[\\/]/).at(-1)),
    })
    await chooseVariant(directory, wanted.variant)
    await describe(directory, cell, wanted, package_?.tarball, driverRange)
    const manifests =
      wanted.manager === 'workspace' ? ['package.json', 'apps/store/package.json'] : ['package.json']
    await installApp(cell, manifests, { manager: wanted.manager, name: installed, without: PACKAGE })
    const built = await build(directory, wanted)
    const standalone = join(directory, '.next', 'standalone')
    return {
      name,
      driver: wanted.stock ? undefined : wanted.driver,
      directory,
      nextBin: nextBinOf(directory),
      standalone,
      serverDirectory: await serverDirectoryOf(standalone),
      ...built,
    }
  })
}

function isGenerated(name) {
  return [
    'node_modules',
    '.next',
    'next-env.d.ts',
    'tsconfig.tsbuildinfo',
    'package-lock.json',
    '.env',
  ].includes(name)
}

/** `classic` has an app directory of its own; everything else belongs to both. */
async function chooseVariant(directory, variant) {
  const classic = join(directory, 'classic')
  if (variant === 'classic') {
    await rm(join(directory, 'app'), { recursive: true })
    await rename(join(classic, 'app'), join(directory, 'app'))
  }
  await rm(classic, { recursive: true })
}

/** Makes the copy what was asked for: its dependencies and its configuration. */
async function describe(
  directory,
  cell,
  { variant, manager, next, driver, stock, options, files },
  tarball,
  driverRange,
) {
  const manifestFile = join(directory, 'package.json')
  const manifest = JSON.parse(await readFile(manifestFile, 'utf8'))
  manifest.dependencies.next = next
  delete manifest.dependencies.ioredis
  delete manifest.dependencies[PACKAGE]
  if (stock) {
    await writeFile(
      join(directory, 'next.config.ts'),
      "export { nextConfig as default } from './store.config'\n",
    )
  } else {
    const local = join(cell, `${PACKAGE}.tgz`)
    await cp(tarball, local)
    manifest.dependencies[driver] = driverRange
    manifest.dependencies[PACKAGE] = `file:${relative(directory, local).split('\\').join('/')}`
  }
  await writeFile(manifestFile, JSON.stringify(manifest, null, 2))
  if (manager === 'workspace') {
    await writeFile(
      join(cell, 'package.json'),
      JSON.stringify({ name: 'monorepo', private: true, workspaces: ['apps/*'] }, null, 2),
    )
  }
  // Next reads .env before the config, in `next build`, in `next start` and in standalone alike.
  await writeFile(
    join(directory, '.env'),
    `STORE_VARIANT=${variant}\nSTORE_OPTIONS='${JSON.stringify(options)}'\n`,
  )
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true })
    await writeFile(join(directory, path), content)
  }
}

async function build(directory, { bundler, env }) {
  const origin = await startOrigin()
  // No build may touch Redis. Whoever calls here is counted, and not answered.
  let redisConnections = 0
  const redis = createServer((socket) => {
    redisConnections += 1
    socket.on('error', () => {})
  })
  await new Promise((resolve) => redis.listen(0, '127.0.0.1', resolve))
  try {
    const buildOutput = await run(process.execPath, [nextBinOf(directory), 'build', `--${bundler}`], {
      name: 'next',
      cwd: directory,
      env: neutralEnv({
        NODE_ENV: 'production',
        ORIGIN_URL: origin.url,
        REDIS_URL: `redis://127.0.0.1:${redis.address().port}`,
        ...env,
      }),
    })
    return { buildOutput, redisConnections }
  } finally {
    redis.close()
    await origin.stop()
  }
}

function nextBinOf(directory) {
  return createRequire(join(directory, 'package.json')).resolve('next/dist/bin/next')
}

/** In a monorepo the server lies as deep in standalone as the app lies in the repository. */
async function serverDirectoryOf(standalone) {
  const [server] = (
    await listFiles(standalone, (name) => name === 'node_modules' || name === '.next')
  ).filter((file) => /(^|\/)server\.js$/.test(file))
  if (!server) throw new Error(`No server.js below ${standalone}`)
  return dirname(server)
}

/**
 * Copies a standalone build to an empty directory, with what a deployment adds to it (static files and
 * public/).
 *
 * @param {PreparedApp} app
 * @param {string} target
 * @param {{ readOnly?: boolean }} [options] `readOnly`: nobody but root may write; see `unprivileged` of `startReplica`
 */
export async function makeStandalone(app, target, { readOnly = false } = {}) {
  await rm(target, { recursive: true, force: true })
  await cp(app.standalone, target, { recursive: true, verbatimSymlinks: true })
  const server = join(target, app.serverDirectory)
  await cp(join(app.directory, '.next', 'static'), join(server, '.next', 'static'), { recursive: true })
  if (existsSync(join(app.directory, 'public')))
    await cp(join(app.directory, 'public'), join(server, 'public'), { recursive: true })
  if (readOnly) await makeReadOnly(target)
  return target
}

async function makeReadOnly(path) {
  const status = await lstat(path)
  if (status.isSymbolicLink()) return
  if (status.isDirectory()) for (const entry of await readdir(path)) await makeReadOnly(join(path, entry))
  await chmod(path, status.isDirectory() ? 0o555 : 0o444)
}
