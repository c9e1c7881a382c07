// The package as it is in the working tree, compiled beside the benchmarks: whoever builds dist/ meanwhile does
// not matter, and the compiled code finds Next.js and the drivers of the repository.
import { createRequire } from 'node:module'
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from '../../scripts/lib/processes.mjs'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const COMPILED = join(ROOT, 'bench', '.cache', 'package')

export async function compilePackage() {
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
  await rm(COMPILED, { recursive: true, force: true })
  await run(process.execPath, [tsc, '-p', 'tsconfig.json', '--outDir', COMPILED, '--declaration', 'false'], {
    name: 'tsc',
    cwd: ROOT,
  })
}
