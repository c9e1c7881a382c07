import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { headingOf, joinModules, removeModules } from '../../scripts/lib/join-modules.mjs'

const STRICT = '"use strict";\nObject.defineProperty(exports, "__esModule", { value: true });\n'

/** A directory of compiled modules. */
function createModules(texts) {
  const directory = mkdtempSync(join(tmpdir(), 'ndc-join-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  for (const [path, text] of Object.entries(texts)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), STRICT + text)
  }
  return { directory, require: createRequire(join(directory, 'index.js')) }
}

it('makes one file of a module and what it imports, in the order of Node.js', () => {
  const { directory, require } = createModules({
    'app/door.js': `const a_1 = require("./a");\nconst b_1 = require("../lib/b");\nexports.said = [...a_1.said, ...b_1.said, 'door'];\n`,
    'app/a.js': `const b_1 = require("../lib/b");\nconst local = 1;\nexports.said = [...b_1.said, 'a' + local];\n`,
    'lib/b.js': `const local = 2;\nexports.said = ['b' + local];\n`,
    'app/types.js': '/** What a and b agree on. */\n',
    'app/other.js': 'exports.other = 1;\n',
  })
  const joined = joinModules(directory, 'app/door.js')
  expect(joined).toEqual(['lib/b.js', 'app/a.js'])
  removeModules(directory, 'app', new Set(joined))
  expect(() => require('./app/a')).toThrow('Cannot find module')
  expect(() => require('./app/types')).toThrow('Cannot find module')
  expect(require('./app/other').other).toBe(1)
  expect(require('./app/door').said).toEqual(['b2', 'a1', 'b2', 'door'])
  expect(readFileSync(join(directory, 'app/door.js'), 'utf8')).toContain(headingOf('lib/b.js'))
})

it('leaves one copy of what a client shares with the others', () => {
  const { directory, require } = createModules({
    'index.js': `const state_1 = require("./state");\nexports.count = () => state_1.next();\n`,
    'state.js': 'let n = 0;\nexports.next = () => ++n;\n',
    'clients/one.js': `const state_1 = require("../state");\nconst only_1 = require("./only");\nexports.count = () => only_1.twice(state_1.next());\n`,
    'clients/only.js': 'exports.twice = (value) => 2 * value;\n',
  })
  joinModules(directory, 'index.js', ['clients/one.js'])
  const { count } = require('./clients/one')
  expect([require('./index').count(), count(), require('./index').count()]).toEqual([1, 4, 3])
})

it.each([
  ['a module that is required in a branch', `if (x)\n  require("./a");\n`, 'other than by an import'],
  ['quotes of another kind', `const load = () => require('./a');\n`, 'other than by an import'],
  ['a module with exports of its own', 'module.exports = 1;\n', 'depends on being a file'],
  ['a module that knows where it is', 'exports.here = __dirname;\n', 'depends on being a file'],
])('refuses %s', (_what, text, message) => {
  const { directory } = createModules({ 'index.js': text, 'a.js': '' })
  expect(() => joinModules(directory, 'index.js')).toThrow(message)
})

it('refuses a client that requires something in a branch, and modules that import each other', () => {
  const { directory } = createModules({
    'index.js': '',
    'client.js': `const load = () => require("./a");\n`,
    'a.js': `const b_1 = require("./b");\n`,
    'b.js': `const a_1 = require("./a");\n`,
  })
  expect(() => joinModules(directory, 'index.js', ['client.js'])).toThrow(
    'client.js cannot be joined: it requires something other than by an import',
  )
  expect(() => joinModules(directory, 'a.js')).toThrow(
    'a.js cannot be joined: it imports itself, by a.js, b.js.',
  )
})

it('makes no file of which each character would take two bytes', () => {
  const { directory } = createModules({ 'app/door.js': '// What comes next … is one too many.\n' })
  expect(() => joinModules(directory, 'app/door.js')).toThrow(/beyond Latin-1: \/\/ What comes next …$/)
})
