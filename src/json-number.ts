/** JSON has no Infinity, which Next uses for "never expires". What it makes of NaN, null, is no number either. */
export type JsonNumber = number | ''

export function toJsonNumber(value: number): JsonNumber {
  return value === Infinity ? '' : value
}

/** @throws when it is no number of ours */
export function fromJsonNumber(value: unknown): number {
  if (value === '') return Infinity
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw new Error('not a number')
}
