import { createRequire } from 'node:module'

/** What the installed package `from` would get for `name`; undefined where that cannot be told. */
export function requireFrom<T>(from: () => string, name: string): T | undefined {
  try {
    return createRequire(from())(name) as T
  } catch {
    return undefined
  }
}
