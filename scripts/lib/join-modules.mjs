// Joins compiled CommonJS modules into one file each. Most of what a process pays for one of our modules when it starts
// is not running it but finding and opening it, and there are about a hundred.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, posix } from 'node:path'

const RELATIVE_REQUIRE = /\brequire\(["'](\.[^"']*)["']\)/g
/** As tsc writes an import; any other may stand in a branch, and is not to run before it is taken. */
const IMPORT = /^(?:const \w+ = (?:__importStar\()?)?require\("(\.[^"]*)"\)\)?;$/gm

/** Whether this is what tsc leaves of a module that exports types. */
const isTypesOnly = (text) =>
  /^"use strict";\s*Object\.defineProperty\(exports, "__esModule", \{ value: true \}\);\s*$/.test(
    text.replace(/\/\*.*?\*\//gs, ''),
  )

/** Marks where a module begins: for readers of a stack, and for tools that edit one module. */
export const headingOf = (path) => `// ---- ${path}\n`

/**
 * Makes `root` hold all modules that it imports, each in a function of its own, in the order in which Node.js would have
 * run them; their own files may go away. `clients` stay files, since a bundler must see only one of them: what they share
 * with `root` they take out of it, so that there is one copy of it.
 *
 * @param {string} directory of the compiled package
 * @param {string} root a path in it
 * @param {readonly string[]} clients paths in it
 * @returns the paths of the modules that `root` holds now
 */
export function joinModules(directory, root, clients = []) {
  const joined = new Map()
  for (const path of [...clients.flatMap((client) => importsOf(directory, client)), root])
    visit(directory, path, joined)
  const sections = [...joined].map(
    ([path, text]) => `${headingOf(path)}const ${nameOf(path)} = {};
((exports) => {
${withNames(path, text).trimEnd()}
})(${nameOf(path)});
`,
  )
  const parts = [...joined.keys()].filter((path) => path !== root).map((path) => `"${path}": ${nameOf(path)}`)
  write(directory, root, [
    '"use strict";\n',
    ...sections,
    `${headingOf('exports')}Object.assign(exports, ${nameOf(root)});\n`,
    `exports.parts = { ${parts.join(', ')} };\n`,
  ])
  for (const client of clients) {
    const door = posix.relative(posix.dirname(client), root.replace(/\.js$/, ''))
    checkImports(directory, client)
    const text = read(directory, client).replace(
      RELATIVE_REQUIRE,
      (_, request) => `require("${door}").parts["${resolve(client, request)}"]`,
    )
    write(directory, client, [text])
  }
  return [...joined.keys()].filter((path) => path !== root)
}

/** Removes the modules below `folder` that are in `joined`, or hold nothing but types. */
export function removeModules(directory, folder, joined) {
  const names = readdirSync(join(directory, folder), { recursive: true, encoding: 'utf8' })
  for (const name of names.filter((each) => each.endsWith('.js'))) {
    const path = posix.join(folder, name.replaceAll('\\', '/'))
    if (joined.has(path) || isTypesOnly(read(directory, path))) rmSync(join(directory, path))
  }
}

function visit(directory, path, joined, importers = []) {
  if (joined.has(path)) return
  if (importers.includes(path))
    throw new Error(`${path} cannot be joined: it imports itself, by ${importers.join(', ')}.`)
  const text = read(directory, path)
  if (/\bmodule\.exports\b|\b__(?:dir|file)name\b/.test(text))
    throw new Error(`${path} cannot be joined: it depends on being a file.`)
  for (const each of checkImports(directory, path)) visit(directory, each, joined, [...importers, path])
  joined.set(path, text)
}

/** The modules that one imports, which requires no others. */
function checkImports(directory, path) {
  const imports = importsOf(directory, path)
  if ([...read(directory, path).matchAll(RELATIVE_REQUIRE)].length !== imports.length)
    throw new Error(`${path} cannot be joined: it requires something other than by an import.`)
  return imports
}

const importsOf = (directory, path) =>
  [...read(directory, path).matchAll(IMPORT)].map(([, request]) => resolve(path, request))

const withNames = (path, text) =>
  text
    .replace(/^"use strict";\n/, '')
    .replace(RELATIVE_REQUIRE, (_, request) => nameOf(resolve(path, request)))

const resolve = (path, request) => `${posix.join(posix.dirname(path), request)}.js`
const nameOf = (path) => `$${path.replace(/\.js$/, '').replace(/\W/g, '_')}`
const read = (directory, path) => readFileSync(join(directory, path), 'utf8')
function write(directory, path, parts) {
  const text = parts.join('')
  // One such character, and each of them takes two bytes in the memory of every server.
  const [beyond] = /.{0,40}[^\0-\u00ff]/.exec(text) ?? []
  if (beyond !== undefined) throw new Error(`${path} has a character beyond Latin-1: ${beyond}`)
  writeFileSync(join(directory, path), text)
}
