const STAND_IN = /\{((?:absent|brief|moved)-)?([^}]*)\}/g

/**
 * Fills in ids that nobody used before: each attempt, and each entity whose two sides no longer agree, gets
 * new ones. Prerendered ids are what they are.
 */
export function createNames(attempt) {
  const generations = new Map()
  const nameOf = (prefix, base) =>
    /^p[12]$/.test(base) ? base : `${prefix}${base}-${attempt}${generations.get(base) ?? ''}`
  const fill = (template, encode = (text) => text) =>
    template.replace(STAND_IN, (_, prefix = '', base) => encode(nameOf(prefix, base)))
  return {
    fill,
    fillPath: (template) => fill(template, encodeURIComponent),
    /** Fills in every string within a plain object. */
    fillAll: (value) =>
      JSON.parse(JSON.stringify(value), (_, part) => (typeof part === 'string' ? fill(part) : part)),
    /** The names that stand in a template. */
    idsIn: (template) =>
      [...template.matchAll(STAND_IN)].map(([, prefix = '', base]) => nameOf(prefix, base)),
    /** From now on the names in this template mean something new. False when they cannot. */
    renew(template) {
      const bases = [...template.matchAll(STAND_IN)]
        .map(([, , base]) => base)
        .filter((base) => !/^p[12]$/.test(base))
      for (const base of bases) generations.set(base, (generations.get(base) ?? 0) + 1)
      return bases.length > 0
    },
  }
}
