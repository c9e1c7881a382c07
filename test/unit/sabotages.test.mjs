import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'
import { expect, it, onTestFinished } from 'vitest'
import { listFiles } from '../../scripts/lib/cache-directory.mjs'
import { applyEdits, SABOTAGES as DIFFERENTIAL } from '../differential/sabotage.mjs'
import { SABOTAGES as FAULTS } from '../faults/sabotages.mjs'

// They edit compiled files by their text, and run by hand only: whoever changes that text shall hear of it here.

const dist = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'dist')

it.each([
  ...Object.entries(DIFFERENTIAL).map(([name, { edits }]) => ['differential', name, edits]),
  ...Object.entries(FAULTS).map(([name, { edits }]) => ['faults', name, edits]),
])('%s: %s can still be put into the package', async (_test, _name, edits) => {
  const standalone = mkdtempSync(join(tmpdir(), 'ndc-sabotage-'))
  onTestFinished(() => rmSync(standalone, { recursive: true, force: true }))
  const copy = join(standalone, 'node_modules', 'next-distributed-cache', 'dist')
  cpSync(dist, copy, { recursive: true })
  await applyEdits(edits, standalone)
  const changed = (await listFiles(copy)).filter((path) => textOf(copy, path) !== textOf(dist, path))
  expect(changed).not.toEqual([])
  for (const path of changed) expect(() => new Script(textOf(copy, path), { filename: path })).not.toThrow()
})

const textOf = (directory, path) => readFileSync(join(directory, path), 'utf8')
