/**
 * Keeps what this process remembers of keys at its bound: the one that was put in first goes. Whoever puts one in again
 * takes it out before, where that shall make it the newest.
 */
export function dropOldest(keys: Map<string, unknown> | Set<string>, maxKeys: number): void {
  if (keys.size > maxKeys) keys.delete(keys.keys().next().value as string)
}
