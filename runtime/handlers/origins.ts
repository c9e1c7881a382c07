import type { Entry } from '../../src/entry'

/** What its constructor returns is what a class below it puts its private fields on. */
class Given {
  constructor(value: object) {
    return value
  }
}

/**
 * The entry that a value was made of, told by the very object that was handed out and by no copy of it. A WeakMap
 * would say the same, but setting it costs as much as all the rest of a hit of local memory.
 */
export class Origin extends Given {
  readonly #entry: Entry

  private constructor(value: object, entry: Entry) {
    super(value)
    this.#entry = entry
  }

  static mark(value: object, entry: Entry): void {
    new Origin(value, entry)
  }

  static of(value: object): Entry | undefined {
    return #entry in value ? value.#entry : undefined
  }
}
