import { type Clock, parseMicros } from '../../src/units'

const AGE_MARK = '_ndc_as_of_'

/**
 * Content carries one tag more when it is handed out: the clock up to which it holds. Next lets others share what
 * one has read, in one request even later, so that old content can become part of something new without
 * asking us. Tags always propagate to what contains it, a short life does not when that has a `cacheLife`
 * of its own; what carries the mark is as old as it says.
 */
export function markAge(tags: readonly string[], asOf: Clock): string[] {
  return [...tags, AGE_MARK + asOf]
}

/** The tags without the marks, each once, and the oldest clock that was among them. */
export function readAge(tags: readonly string[]): { tags: string[]; asOf: Clock } {
  const own = new Set<string>()
  let asOf = Infinity
  for (const tag of tags) {
    if (!isAgeMark(tag)) own.add(tag)
    // One that cannot be read is none of ours, and no tag either.
    else asOf = Math.min(asOf, parseMicros(tag.slice(AGE_MARK.length)) ?? Infinity)
  }
  return { tags: [...own], asOf }
}

export function isAgeMark(tag: string): boolean {
  return tag.startsWith(AGE_MARK)
}
