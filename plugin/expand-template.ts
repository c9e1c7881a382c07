import MagicString from 'magic-string'
import { DistributedCacheError } from '../src/errors'

const PLACEHOLDER = /\b__NDC_[A-Z_]+__\b/g

/**
 * Puts code in the place of every `__NDC_…__` of a compiled template. A placeholder without a value, or a
 * value without a placeholder, means that the two do not belong together.
 */
export function expandTemplate(text: string, values: Readonly<Record<string, string>>): string {
  const expanded = new MagicString(text)
  const unused = new Set(Object.keys(values))
  for (const match of text.matchAll(PLACEHOLDER)) {
    const [placeholder] = match
    const value = Object.hasOwn(values, placeholder) ? values[placeholder] : undefined
    if (value === undefined)
      throw new DistributedCacheError(
        'TEMPLATE',
        `The router template has a placeholder ${placeholder} without a value. Reinstall next-distributed-cache: its files are of different versions.`,
      )
    unused.delete(placeholder)
    expanded.overwrite(match.index, match.index + placeholder.length, value)
  }
  if (unused.size > 0)
    throw new DistributedCacheError(
      'TEMPLATE',
      `The router template has no placeholder ${[...unused].join(', ')}. Reinstall next-distributed-cache: its files are of different versions.`,
    )
  return expanded.toString()
}
