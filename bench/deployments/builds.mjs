// The store with two pages more, built once for each way to install it. What was built before is not built again.
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { prepareApp } from '../../scripts/lib/prepare-app.mjs'
import { peerVersions } from '../lib/install-peers.mjs'

const require = createRequire(import.meta.url)
const fileOf = (path) => readFile(new URL(`files/${path}`, import.meta.url), 'utf8')

async function pages() {
  return {
    'app/(store)/bench/[id]/page.tsx': await fileOf('pages/bench-page.tsx'),
    'app/(store)/bench-function/[id]/page.tsx': await fileOf('pages/bench-function.tsx'),
  }
}

/** Node.js finds what the tracing of Next.js did not, since some packages load their driver by a computed name. */
const CONFIG = `import { join } from 'node:path'
import { nextConfig } from './store.config'

const handler = (name: string) => join(process.cwd(), 'bench-cache', name)
export default {
  ...nextConfig,
  cacheMaxMemorySize: 0,
  cacheHandler: handler('incremental.cjs'),
  cacheHandlers: { default: handler('components.cjs'), remote: handler('components.cjs') },
  outputFileTracingIncludes: { '/*': INCLUDES },
}
`

async function withPackages(dependencies, incremental, components) {
  const example = JSON.parse(
    await readFile(new URL('../../examples/store/package.json', import.meta.url), 'utf8'),
  )
  const { next, react, 'react-dom': reactDom } = example.dependencies
  const versions = { next: require('next/package.json').version ?? next, react, 'react-dom': reactDom }
  const manifest = { ...example, dependencies: { ...versions, ...dependencies } }
  const includes = [...Object.keys(dependencies), '@redis/**', 'cluster-key-slot', 'denque', 'redis-errors']
  return prepareApp({
    stock: true,
    files: {
      ...(await pages()),
      'package.json': JSON.stringify(manifest, null, 2),
      'next.config.ts': CONFIG.replace(
        'INCLUDES',
        JSON.stringify(includes.map((name) => `./node_modules/${name}/**`)),
      ),
      'bench-cache/incremental.cjs': await fileOf(`cache/${incremental}`),
      'bench-cache/components.cjs': await fileOf(`cache/${components}`),
    },
  })
}

const BUILDS = {
  ours: async () => prepareApp({ files: await pages() }),
  stock: async () => prepareApp({ stock: true, files: await pages() }),
  async peers() {
    const {
      autocannon: _tool,
      '@trieb.work/nextjs-turbo-redis-cache': _turbo,
      redis: _old,
      ...peers
    } = await peerVersions()
    const drivers = ['redis', 'ioredis'].map((name) => [name, require(`${name}/package.json`).version])
    return withPackages({ ...peers, ...Object.fromEntries(drivers) }, 'incremental.cjs', 'components.cjs')
  },
  async turbo() {
    const { '@trieb.work/nextjs-turbo-redis-cache': turbo, redis } = await peerVersions()
    const dependencies = { '@trieb.work/nextjs-turbo-redis-cache': turbo, redis }
    return withPackages(dependencies, 'turbo-incremental.cjs', 'turbo-components.cjs')
  },
}

/** What is built before anything is measured. */
export const BUILD_NAMES = Object.keys(BUILDS)

const built = new Map()

/** @param {'ours' | 'stock' | 'peers' | 'turbo'} name */
export function prepareBuild(name, log) {
  if (!built.has(name)) {
    log(`Build: ${name} (kept for the next time)`)
    built.set(name, BUILDS[name]())
  }
  return built.get(name)
}
