// The package as it is in the working tree, built beside the benchmarks as it is published: whoever builds dist/ meanwhile
// does not matter, and the compiled code finds Next.js and the drivers of the repository.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from '../../scripts/lib/processes.mjs'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const COMPILED = join(ROOT, 'bench', '.cache', 'package')

export async function compilePackage() {
  const build = join(ROOT, 'scripts', 'build.mjs')
  await run(process.execPath, [build, COMPILED], { name: 'build', cwd: ROOT })
}
