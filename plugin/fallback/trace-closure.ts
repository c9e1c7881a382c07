import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DistributedCacheError, messageOf } from '../../src/errors'
import { loadFromNext } from '../project'
import type { Closure } from './compile-closure'

type Trace = (
  files: string[],
  options: {
    base: string
    processCwd: string
    mixedModules: boolean
    ignore: string[]
    readFile: (path: string) => Promise<Buffer | string | null>
  },
) => Promise<{ fileList: Set<string>; esmFileList: Set<string> }>

/** The tracer that Next ships and uses itself. */
function loadTracer(projectDirectory: string): Trace {
  return (loadFromNext(projectDirectory, 'dist/compiled/@vercel/nft') as { nodeFileTrace: Trace })
    .nodeFileTrace
}

/**
 * Every file that the closure needs at run time, absolute: its modules, packages, links and assets.
 * @param root files outside of it cannot be part of a standalone build
 */
export async function traceClosure(
  { roots, compiled }: Closure,
  projectDirectory: string,
  root: string,
): Promise<string[]> {
  if (roots.length === 0) return []
  try {
    // The sources are traced as well, for the assets beside them; what runs is their compiled twin.
    const { fileList, esmFileList } = await loadTracer(projectDirectory)([...roots, ...compiled.keys()], {
      base: root,
      processCwd: projectDirectory,
      mixedModules: true,
      ignore: ['**/*.d.ts', '**/*.map'],
      readFile: async (path) => {
        const source = compiled.get(path)
        if (source !== undefined) return source.plainCode
        return readFile(path).catch(() => null)
      },
    })
    return [...new Set([...fileList, ...esmFileList])]
      .map((file) => join(root, file))
      .filter((file) => !compiled.has(file))
  } catch (error) {
    throw new DistributedCacheError(
      'INVALID_FALLBACK',
      `What the fallback modules (${roots.join(', ')}) need at run time cannot be traced: ${messageOf(error)}. Fix them, or remove the option fallback.`,
      { cause: error },
    )
  }
}
