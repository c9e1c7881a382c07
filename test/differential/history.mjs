// What happened to the content of each path, in words that the rules of docs/deviations.md can match.
import { touches } from './catalogue.mjs'

/**
 * Words, oldest first: `hard` (a tag), `path` (revalidatePath), `soft` (a profile that outlives the test),
 * `window` (a profile of seconds), `deadline` (such a window ended), `render` (both sides rendered what this path
 * shows, be it in the background), `stock-render` and `ours-render` (one of them), `aged` (what it shows is past the
 * seconds of life that it has).
 */
export function createHistory(now = () => performance.now()) {
  const events = []
  const visits = new Map()
  return {
    visited: (path) => visits.set(path, (visits.get(path) ?? 0) + 1),
    visitsOf: (path) => visits.get(path) ?? 0,
    /** What was rendered now lives for so long. */
    ages: (path, seconds) => events.push({ word: 'aged', path, at: now() + seconds * 1000 }),
    rendered: (path, word) => events.push({ word, path, at: now() }),
    /** @param {{ tag?: string, target?: string, type?: string, profile?: string | { expire?: number } }} invalidation */
    invalidated(invalidation) {
      events.push({ word: wordOf(invalidation), invalidation, at: now() })
      const windowMs = invalidation.profile?.expire * 1000
      if (windowMs > 0) events.push({ word: 'deadline', invalidation, at: now() + windowMs })
    },
    of(path) {
      const until = now()
      return events
        .filter(
          (event) =>
            event.at <= until && (event.path ? event.path === path : touches(event.invalidation, path)),
        )
        .sort((a, b) => a.at - b.at)
        .map(({ word }) => word)
        .join(' ')
    },
  }
}

function wordOf({ tag, profile }) {
  if (tag === undefined) return 'path'
  if (profile === undefined || profile.expire === 0) return 'hard'
  return typeof profile === 'string' ? 'soft' : 'window'
}

/** The invalidation in an operation whose names are filled in; undefined when it is none. */
export function invalidationOf({ do: what, request, form, fields }) {
  if (what === 'control') {
    const { action, tag, profile, path, type } = request
    return action === 'revalidateTag' ? { tag, profile } : { target: path, type }
  }
  if (what !== 'action') return undefined
  const { tag, profile, path } = fields
  return form === 'revalidatePath' ? { target: path } : { tag, profile }
}
