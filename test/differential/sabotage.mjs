// Bugs to put into a copy of this package, to see that the comparison finds them.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { listFiles } from '../../scripts/lib/cache-directory.mjs'
import { headingOf } from '../../scripts/lib/join-modules.mjs'

/**
 * Edits of compiled files. A text that is no longer there is an error. What only shows when requests overlap (a
 * fence, a lease, a lost message) is for the history checker: here everything happens one after the other.
 *
 * @type {Record<string, { what: string, edits: { file: string, find: string, replace: string }[] }>}
 */
export const SABOTAGES = {
  'soft-tags': {
    what: 'what a path invalidates is not asked for',
    edits: [
      {
        file: 'runtime/handlers/response-handler.js',
        find: '[...tags, ...softTags]',
        replace: '[...tags]',
      },
      {
        file: 'runtime/handlers/use-cache-handler.js',
        find: 'expiringTags: softTags',
        replace: 'expiringTags: []',
      },
    ],
  },
  'hard-tags': {
    what: 'a hard invalidation forbids nothing',
    edits: [{ file: 'src/tag-state.js', find: 'record.hard > fence', replace: 'false' }],
  },
  'new-fence': {
    what: 'an entry is judged as if it knew of every invalidation so far',
    edits: [
      {
        file: 'src/tag-state.js',
        find: 'if (record.hard > fence)',
        replace: 'fence = Infinity;\n    if (record.hard > fence)',
      },
    ],
  },
  deadline: {
    what: 'what is stale by a profile never expires',
    edits: [
      {
        file: 'src/tag-state.js',
        find: '        if (deadline <= now)\n            return',
        replace: '        if (false)\n            return',
      },
    ],
  },
  'stale-as-fresh': {
    what: 'Next is not told that a page is stale by a tag',
    edits: [
      {
        file: 'runtime/handlers/stale-mark.js',
        find: 'function addMark(response) {',
        replace: 'function addMark(response) {\n    return response;',
      },
    ],
  },
  'page-tags': {
    what: 'the tags of a page are not read from its headers',
    edits: [{ file: 'runtime/handlers/stale-mark.js', find: "return list.split(',')", replace: 'return []' }],
  },
  'not-found': {
    what: 'a page that does not exist is not kept',
    edits: [
      {
        file: 'runtime/handlers/response-handler.js',
        find: 'const origin = value === null ?',
        replace: 'if (value === null)\n                return;\n            const origin = value === null ?',
      },
    ],
  },
  'failed-refresh': {
    what: 'an old page that is written back after a failed refresh looks new',
    edits: [
      {
        file: 'runtime/handlers/response-handler.js',
        find: 'origin = value === null ? undefined : this.reads.originOf(value)',
        replace: 'origin = undefined',
      },
    ],
  },
}

export const sabotage = (name, standalone) => applyEdits(SABOTAGES[name].edits, standalone)

export async function applyEdits(edits, standalone) {
  const files = await listFiles(standalone)
  const ours = files.filter((path) => /next-distributed-cache\/dist\/(?:runtime|src)\/.+\.js$/.test(path))
  for (const { file, find, replace } of edits) {
    let found = 0
    for (const path of ours) {
      const text = await readFile(join(standalone, path), 'utf8')
      const place = placeOf(file, path, text)
      if (place === undefined) continue
      found++
      const [from, to] = place
      const module = text.slice(from, to)
      const broken = module.replace(find, () => replace)
      if (broken === module) throw new Error(`${file} no longer says: ${find}`)
      await writeFile(join(standalone, path), text.slice(0, from) + broken + text.slice(to))
    }
    if (found === 0) throw new Error(`No ${file} to sabotage below ${standalone}`)
  }
}

/** From where to where a file holds a module: all of it, or the part under its heading where modules were joined. */
function placeOf(module, path, text) {
  const heading = text.indexOf(headingOf(module))
  if (heading === -1) return path.endsWith(`/dist/${module}`) ? [0, text.length] : undefined
  const next = text.indexOf(headingOf('').trimEnd(), heading + 1)
  return [heading, next === -1 ? text.length : next]
}
