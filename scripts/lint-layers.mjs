// Which part of the source may import which: the table behind the lint rule `house/layers`.
// Pure functions over repo-relative POSIX paths, so that a unit test can walk the table.
import { builtinModules } from 'node:module'
import { posix } from 'node:path'

/**
 * @typedef {object} Layer
 * @property {(path: string) => boolean} contains  the files of this layer
 * @property {readonly string[]} imports           layers it may import
 * @property {readonly string[]} [types]           layers it may import types from, on top of those
 * @property {readonly string[] | 'any'} builtins  Node.js modules it may import
 * @property {readonly string[]} packages          installed packages it may import
 */

const below = (folder) => (path) => path.startsWith(`${folder}/`)

// Computation only: nothing that reaches a disk, a network or another process.
const pureBuiltins = ['buffer', 'crypto', 'util', 'zlib']

// The first layer that contains a file is its layer.
/** @type {Record<string, Layer>} */
const layers = {
  src: { contains: below('src'), imports: [], builtins: pureBuiltins, packages: [] },
  plugin: {
    contains: below('plugin'),
    imports: ['src'],
    builtins: 'any',
    packages: ['jiti', 'magic-string', 'next'],
  },
  // Compiled alone and read as text: at run time only its data and the door it is handed exist.
  templates: {
    contains: below('templates'),
    imports: [],
    types: ['door', 'routerContract'],
    builtins: 'any',
    packages: ['next'],
  },
  // The contracts of Next.js, as types: every part of the runtime may speak of them.
  nextTypes: {
    contains: (path) => path === 'runtime/handlers/next-types',
    imports: [],
    builtins: [],
    packages: [],
  },
  // What the entries and the generated router agree on, as types.
  routerContract: {
    contains: (path) => path === 'runtime/entries/contract',
    imports: [],
    types: ['door', 'clients', 'src'],
    builtins: [],
    packages: [],
  },
  // The door, and the one file that puts together everything below it.
  door: {
    contains: (path) => ['runtime', 'runtime/index', 'runtime/create-runtime'].includes(path),
    imports: ['handlers', 'cache', 'buildOutput', 'memory', 'bus', 'store', 'clients', 'shared', 'src'],
    builtins: 'any',
    packages: [],
  },
  entries: {
    contains: below('runtime/entries'),
    imports: ['door', 'clients', 'shared', 'src'],
    types: ['routerContract'],
    builtins: 'any',
    packages: ['next'],
  },
  handlers: {
    contains: below('runtime/handlers'),
    imports: ['cache', 'shared', 'src'],
    types: ['buildOutput', 'memory', 'bus', 'store', 'clients'],
    builtins: 'any',
    packages: ['next'],
  },
  cache: {
    contains: below('runtime/cache'),
    imports: ['memory', 'bus', 'store', 'shared', 'src'],
    types: ['clients'],
    builtins: 'any',
    packages: [],
  },
  // The files of the build, for the handlers to translate.
  buildOutput: {
    contains: below('runtime/build-output'),
    imports: ['shared', 'src'],
    builtins: 'any',
    packages: [],
  },
  memory: {
    contains: below('runtime/memory'),
    imports: ['clients', 'shared', 'src'],
    builtins: 'any',
    packages: [],
  },
  bus: {
    contains: below('runtime/bus'),
    imports: ['clients', 'shared', 'src'],
    builtins: 'any',
    packages: [],
  },
  store: {
    contains: below('runtime/store'),
    imports: ['clients', 'shared', 'src'],
    builtins: 'any',
    packages: [],
  },
  clients: {
    contains: below('runtime/clients'),
    imports: ['shared', 'src'],
    builtins: 'any',
    packages: ['ioredis', 'redis'],
  },
  // Files directly below runtime/ other than these: small things that every layer needs (logs, telemetry).
  shared: {
    contains: (path) => below('runtime')(path) && !path.slice('runtime/'.length).includes('/'),
    imports: ['src'],
    builtins: 'any',
    packages: [],
  },
  examples: { contains: below('examples'), imports: [], builtins: 'any', packages: [] },
}

const stripExtension = (path) => path.replace(/(?:\.d)?\.[cm]?[jt]sx?$/, '')

/** @returns {string | undefined} the name of the layer a repo-relative path belongs to */
export function layerOf(path) {
  const bare = stripExtension(path)
  return Object.keys(layers).find((name) => layers[name].contains(bare))
}

/**
 * Judges one import.
 * @param {string} from       repo-relative path of the importing file
 * @param {string} specifier  as written
 * @param {boolean} typeOnly  erased by the compiler
 * @returns {string | undefined} the rule it breaks, or undefined
 */
export function judgeImport(from, specifier, typeOnly) {
  const name = layerOf(from)
  if (name === undefined) return undefined
  return specifier.startsWith('.') || specifier.startsWith('/')
    ? judgeFile(name, from, specifier, typeOnly)
    : judgePackage(name, specifier)
}

function judgeFile(name, from, specifier, typeOnly) {
  const target = posix.normalize(posix.join(posix.dirname(from), specifier)).replace(/\/$/, '')
  if (name === 'examples') {
    const home = from.split('/').slice(0, 2).join('/')
    return target === home || target.startsWith(`${home}/`)
      ? undefined
      : 'An example imports this package by its name, as its readers would.'
  }
  const targetLayer = layerOf(target)
  if (targetLayer === name) return undefined
  if (targetLayer === 'nextTypes' && name !== 'src' && name !== 'plugin' && name !== 'templates') {
    return typeOnly ? undefined : 'next-types holds types only: use `import type`.'
  }
  const layer = layers[name]
  if (targetLayer !== undefined && layer.imports.includes(targetLayer)) return undefined
  if (targetLayer !== undefined && layer.types?.includes(targetLayer)) {
    return typeOnly
      ? undefined
      : `${name} may import types from ${targetLayer}, not values: use \`import type\`.`
  }
  return `${name} must not import ${targetLayer ?? target}. ${allowance(name)}`
}

function judgePackage(name, specifier) {
  const layer = layers[name]
  if (name === 'examples') return undefined
  const bare = specifier.replace(/^node:/, '')
  if (specifier.startsWith('node:') || builtinModules.includes(bare)) {
    if (layer.builtins === 'any' || layer.builtins.includes(bare)) return undefined
    return `${name} is free of I/O: of Node.js it may import ${layer.builtins.join(', ') || 'nothing'}.`
  }
  const packageName = bare
    .split('/')
    .slice(0, bare.startsWith('@') ? 2 : 1)
    .join('/')
  if (layer.packages.includes(packageName)) return undefined
  return `${name} must not import the package ${packageName}. ${allowance(name)}`
}

function allowance(name) {
  const { imports, types = [], packages } = layers[name]
  const allowed = [...imports, ...types.map((type) => `types of ${type}`), ...packages]
  return allowed.length === 0 ? 'It imports nothing.' : `It may import: ${allowed.join(', ')}.`
}

const asynchronousRuntime = ['handlers', 'cache', 'buildOutput', 'memory', 'bus', 'store', 'clients']

/** True for files that run while a request waits: no synchronous file system calls there. */
export function servesRequests(path) {
  return asynchronousRuntime.includes(layerOf(path) ?? '')
}
