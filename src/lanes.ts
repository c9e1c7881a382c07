/** How a publisher and the number of its message appear on the bus. */
export interface Origin {
  readonly publisher: string
  readonly sequence: number
}

interface Lane {
  readonly publisher: string
  sequence: number
  /** Published on this lane last; a repetition of the number goes the same way. */
  key: string
}

const SEPARATOR = '@'

/**
 * Numbers what this process publishes, one sequence per lane. A lane is the node that publishes: messages of one
 * node arrive in order, those of two do not, and a number that spans both would show gaps where there are
 * none. On the bus a lane is a publisher of its own. A single server is one lane, without a name.
 */
export class Lanes {
  private readonly lanes = new Map<string, Lane>()
  /** Where others begin: a lane that comes back must not repeat numbers, which would hide what is missing. */
  private forgotten = 0

  constructor(private readonly publisher: string) {}

  private lane(name: string): Lane {
    let lane = this.lanes.get(name)
    if (lane === undefined) {
      const publisher = name === '' ? this.publisher : this.publisher + SEPARATOR + name
      lane = { publisher, sequence: this.forgotten, key: '' }
      this.lanes.set(name, lane)
    }
    return lane
  }

  /** The number of a new message about a key. */
  next(name: string, key: string): Origin {
    const lane = this.lane(name)
    lane.key = key
    lane.sequence++
    return { publisher: lane.publisher, sequence: lane.sequence }
  }

  /** The last number of a lane, to be repeated. */
  last(name: string): Origin {
    const { publisher, sequence } = this.lane(name)
    return { publisher, sequence }
  }

  /** What is to be repeated besides the home lane. A lane that no longer serves its key is repeated once more. */
  others(home: string, laneOf: (key: string) => string): { key: string; origin: Origin }[] {
    const repeated: { key: string; origin: Origin }[] = []
    for (const [name, { key, sequence }] of this.lanes) {
      if (name === home || key === '') continue
      repeated.push({ key, origin: this.last(name) })
      if (laneOf(key) === name) continue
      this.lanes.delete(name)
      this.forgotten = Math.max(this.forgotten, sequence)
    }
    return repeated
  }
}

/** Whether a publisher on the bus is this process, on whichever lane. */
export function isLaneOf(publisher: string, process: string): boolean {
  return publisher === process || publisher.startsWith(process + SEPARATOR)
}
