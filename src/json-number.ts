/** JSON has no Infinity, and Next uses it for "never expires". */
export type JsonNumber = number | 'Infinity'

export function toJsonNumber(value: number): JsonNumber {
  return value === Infinity ? 'Infinity' : value
}

/** @throws when it is no number of ours */
export function fromJsonNumber(value: unknown): number {
  if (value === 'Infinity') return Infinity
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw new Error('not a number')
}
