// Bugs to put into a copy of this package, to see that the comparison finds them.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { listFiles } from '../../scripts/lib/cache-directory.mjs'

/** Edits of compiled files, by the end of their path. A text that is no longer there is an error. */
export const SABOTAGES = {
  'soft-tags': {
    what: 'the soft tags of a read (its paths) are not asked for',
    file: 'runtime/cache/cache.js',
    find: 'tags = [], expiringTags = []',
    replace: 'tags: _t, expiringTags: _e, tags_ = [], expiringTags_ = []',
  },
}

export async function sabotage(name, standalone) {
  const { file, find, replace } = SABOTAGES[name]
  const paths = (await listFiles(standalone)).filter((path) =>
    path.endsWith(`next-distributed-cache/dist/${file}`),
  )
  if (paths.length === 0) throw new Error(`No ${file} to sabotage below ${standalone}`)
  for (const path of paths) {
    const text = await readFile(join(standalone, path), 'utf8')
    const broken = text.replace(find, () => replace)
    if (broken === text) throw new Error(`${file} no longer says ${find}`)
    await writeFile(join(standalone, path), broken)
  }
}
