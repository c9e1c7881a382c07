// Breaks things at random, from a seed, and says what it does to whom.

/** Kinds of faults with their weights. */
export const FAULTS = {
  delay: 4,
  cut: 3,
  halfOpen: 3,
  stall: 3,
  drop: 6,
  deafen: 2,
  pause: 3,
  kill: 1,
  hang: 1,
  flush: 0.5,
  evictState: 0.5,
  evictEntry: 2,
}
/** After the end of a disturbance a replica still works off what piled up. */
const SETTLE_MS = 200

/**
 * @param {{ only?: string[], random: object, replicas: object[], redis: object, checker: object, tagsKey: string,
 *   command: (...args: string[]) => Promise<unknown>, log?: (text: string) => void }} parts
 */
export function createFaults({
  only = Object.keys(FAULTS),
  random,
  replicas,
  redis,
  checker,
  tagsKey,
  command,
  log = () => {},
}) {
  const counts = Object.fromEntries(Object.keys(FAULTS).map((kind) => [kind, 0]))
  const broken = new Set()
  const underWay = new Set()
  let stopped = false
  const stopping = Promise.withResolvers?.() ?? withResolvers()

  const between = (low, high) => low + random.next() * (high - low)
  const role = () => random.pick(['command', 'subscriber', 'subscriber', 'both'])
  /** Waits, but not beyond the end. */
  const wait = (ms) => {
    let timer
    const elapsed = new Promise((resolve) => (timer = setTimeout(resolve, ms)))
    return Promise.race([elapsed, stopping.promise]).finally(() => clearTimeout(timer))
  }

  /** The subscriber or the process cannot hear while `action` runs. */
  async function disturb(replica, kind, action) {
    const end = checker.disturbed(replica.name, kind, performance.now())
    try {
      await action()
    } finally {
      end(performance.now() + SETTLE_MS)
    }
  }
  const disturbIf = (deaf, replica, kind, action) => (deaf ? disturb(replica, kind, action) : action())

  const actions = {
    async delay(replica) {
      const on = role()
      const ms = between(5, 300)
      await disturbIf(on !== 'command', replica, `delay of ${Math.round(ms)} ms`, async () => {
        replica.proxy.delay(on, ms)
        await wait(between(200, 2_500))
        replica.proxy.delay(on, 0)
        await wait(ms)
      })
    },
    async cut(replica) {
      const on = role()
      await disturbIf(on !== 'command', replica, 'cut', () => wait(replica.proxy.cut(on) ?? 0))
    },
    async halfOpen(replica) {
      const on = role()
      await disturbIf(on !== 'command', replica, `half-open ${on}`, () =>
        Promise.race([replica.proxy.halfOpen(on), wait(8_000)]),
      )
    },
    async stall(replica) {
      const on = role()
      await disturbIf(on !== 'command', replica, `stalled ${on}`, async () => {
        replica.proxy.stall(on, true)
        await wait(between(300, 4_000))
        replica.proxy.stall(on, false)
      })
    },
    async drop(replica) {
      const kind = random.pick(['invalidate', 'invalidate', 'write', 'write', 'heartbeat', 'any'])
      // One message, or one and all that come in the moment after it: alone, it is often made up for by the next.
      const burstMs = random.chance(0.6) ? between(200, 900) : 0
      // From the moment the message does not come until a heartbeat tells; nobody knows when, so until silence is over.
      await new Promise((resolve) => {
        replica.proxy.drop(kind, burstMs, (dropped) => {
          const end = checker.disturbed(replica.name, `lost message: ${dropped}`, performance.now())
          log(`${replica.name} loses a message: ${dropped}`)
          resolve(wait(2_000 + burstMs).then(() => end(performance.now())))
        })
        void wait(3_000).then(resolve)
      })
    },
    /** Only the numbers in the heartbeats tell of what is lost, for longer than anybody may be wrong. */
    async deafen(replica) {
      const ms = between(3_000, 5_000)
      await disturb(replica, 'hears heartbeats only', async () => {
        replica.proxy.deafen(ms)
        await wait(ms + 2_000)
      })
    },
    async pause(replica) {
      await disturb(replica, 'paused', async () => {
        replica.pause()
        await wait(between(100, 4_000))
        replica.resume()
      })
    },
    async kill(replica) {
      await disturb(replica, 'killed', async () => {
        await replica.kill()
        await wait(between(0, 500))
        await replica.restart()
      })
    },
    async hang() {
      const ends = replicas.map(({ name }) => checker.disturbed(name, 'Redis hangs', performance.now()))
      redis.pause()
      await wait(between(100, 1_500))
      redis.resume()
      for (const end of ends) end(performance.now() + SETTLE_MS)
    },
    flush: () => lose('everything', () => command('FLUSHALL')),
    evictState: () => lose('the tag state', () => command('DEL', tagsKey)),
    evictEntry: () =>
      lose('an entry', async () => {
        const key = await command('RANDOMKEY')
        if (key !== null && key !== tagsKey) await command('DEL', key)
      }),
  }

  async function lose(what, action) {
    await action()
    checker.entriesLost(what, performance.now())
  }

  const perReplica = new Set(['delay', 'cut', 'halfOpen', 'stall', 'drop', 'deafen', 'pause', 'kill'])

  return {
    counts,
    /** Runs until `stop`. */
    async run() {
      while (!stopped) {
        await wait(between(100, 900))
        if (stopped) return
        const kind = random.weighted(only.map((name) => [FAULTS[name], name]))
        const healthy = replicas.filter(({ name }) => !broken.has(name))
        const replica = healthy.length === 0 ? undefined : random.pick(healthy)
        if (replica === undefined && perReplica.has(kind)) continue
        counts[kind]++
        log(`fault: ${kind} ${perReplica.has(kind) ? replica.name : ''}`)
        const victim = perReplica.has(kind) ? replica.name : undefined
        broken.add(victim)
        const done = actions[kind](replica).finally(() => {
          broken.delete(victim)
          underWay.delete(done)
        })
        underWay.add(done)
        done.catch(() => {})
      }
    },
    /** Ends every fault and waits until what it broke is there again. Rejects when it is not. */
    async stop() {
      stopped = true
      stopping.resolve()
      await Promise.all(underWay)
      redis.resume()
      for (const replica of replicas) {
        replica.proxy.heal()
        replica.resume()
      }
    },
  }
}

/** `Promise.withResolvers` is newer than the oldest Node.js that runs the tests. */
function withResolvers() {
  let resolve
  const promise = new Promise((settle) => (resolve = settle))
  return { promise, resolve }
}
