// The package, compiled into a directory of its own: whoever builds dist/ meanwhile does not matter.
import { createRequire } from 'node:module'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from '../../scripts/lib/processes.mjs'

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

export async function compilePackage() {
  const directory = await mkdtemp(join(tmpdir(), 'ndc-history-'))
  const remove = () => rm(directory, { recursive: true, force: true })
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
  try {
    await run(
      process.execPath,
      [tsc, '-p', 'tsconfig.json', '--outDir', directory, '--declaration', 'false'],
      {
        name: 'tsc',
        cwd: ROOT,
      },
    )
  } catch (error) {
    await remove()
    throw error
  }
  return { directory, remove }
}
