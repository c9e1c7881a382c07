import { beforeEach, describe, expect, it } from 'vitest'
import type { RedisCommand, RedisReply } from '../../runtime/clients/client'
import { createReadBatches, type ReadBatches } from '../../runtime/store/read-batches'
import type { ParsedTagView } from '../../runtime/store/replies'
import type { Bid, LeaseState, Patience, StoredBytes } from '../../src/store'
import { NEVER } from '../../src/units'

// What one turn asks for is one exchange; what becomes of one read is its own matter.

interface Exchange {
  readonly commands: RedisCommand[]
  readonly tags: readonly string[]
  readonly timeoutMs: number
  answer(replies: RedisReply[], view: ParsedTagView | undefined): void
  fail(error: Error): void
}

const COMMAND_MS = 30_000
const STAMP = Buffer.alloc(48)

let exchanges: Exchange[]
let mended: string[][]
let recoveries: number
let byScript: string[]
let mend: () => Promise<void>
let batches: ReadBatches

const view = (clock = 1, damaged: string[] = []): ParsedTagView => ({
  clock,
  floor: 0,
  incarnation: 'x',
  records: new Map(damaged.map((tag) => [tag, { hard: NEVER, soft: [] }])),
  damaged,
})
const keysOf = ({ commands }: Exchange): unknown[] => commands.map(({ key }) => key)
/** Every key holds its own name. */
const entries = (exchange: Exchange): RedisReply[] =>
  exchange.commands.map(({ key }) => Buffer.from(key as string))
const textOf = ({ bytes }: StoredBytes): string => String(bytes)
const laneOf = (key: string): string => (key.startsWith('b:') ? 'b' : '')
/** Until what was asked for in this turn is on its way. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const exchange = (index = 0): Exchange => exchanges[index] as Exchange

beforeEach(() => {
  exchanges = []
  mended = []
  recoveries = 0
  byScript = []
  mend = () => Promise.resolve()
  batches = createReadBatches({
    client: { laneOf },
    commandMs: COMMAND_MS,
    end: '99',
    ask: (commands, tags, timeoutMs) =>
      new Promise((resolve, reject) => {
        const answer: Exchange['answer'] = (replies, found) => resolve([replies, found])
        exchanges.push({ commands, tags, timeoutMs, answer, fail: reject })
      }),
    recover: async () => void recoveries++,
    mend(damaged) {
      mended.push([...damaged])
      return mend()
    },
    readByScript: async (key) => {
      byScript.push(key)
      return { bytes: 'unchanged', view: view(9) }
    },
  })
})

describe('reads of one turn', () => {
  it('are one exchange over the union of their tags, and each gets its own', async () => {
    const reads = [batches.read('k1', ['x', 'y']), batches.read('k2', ['y', 'z'], STAMP)]
    const tags = batches.readTags(['w'])
    await turn()
    expect(exchanges).toHaveLength(1)
    expect(exchange().tags).toEqual(['x', 'y', 'z', 'w'])
    expect(exchange().commands.map(({ args }) => args[0])).toEqual(['GETRANGE', 'EVALSHA'])
    exchange().answer([null, 1], view(7))
    const [one, other] = await Promise.all(reads)
    expect([one?.bytes, other?.bytes]).toEqual([null, 'unchanged'])
    expect([one?.view.clock, other?.view.clock, (await tags).clock]).toEqual([7, 7, 7])
  })

  it('of what follows do not wait for what is under way', async () => {
    const first = batches.read('k1', [])
    await turn()
    const second = batches.read('k2', [])
    await turn()
    expect(exchanges.map(keysOf)).toEqual([['k1'], ['k2']])
    exchange(1).answer(entries(exchange(1)), view())
    expect(textOf(await second)).toBe('k2')
    exchange(0).answer(entries(exchange(0)), view())
    expect(textOf(await first)).toBe('k1')
  })

  it('are one exchange for each node, whose errors are its own', async () => {
    const away = batches.read('b:1', ['x'])
    const there = batches.read('a:1', ['x'])
    await turn()
    expect(exchanges.map(keysOf)).toEqual([['b:1'], ['a:1']])
    exchange(0).fail(new Error('away'))
    exchange(1).answer(entries(exchange(1)), view())
    await expect(away).rejects.toThrow('away')
    expect(textOf(await there)).toBe('a:1')
  })

  it('are bounded in keys and in tags', async () => {
    const reads = Array.from({ length: 130 }, (_, index) => batches.read(`k${index}`, ['x']))
    const manyTags = Array.from({ length: 600 }, (_, index) => `t${index}`)
    reads.push(batches.read('many', manyTags), batches.read('last', ['y']))
    await turn()
    expect(exchanges.map(({ commands }) => commands.length)).toEqual([64, 64, 3, 1])
    expect(exchange(3).tags).toEqual(['y'])
    for (const each of exchanges) each.answer(entries(each), view())
    const found = await Promise.all(reads)
    expect(found.map(textOf)).toEqual([
      ...Array.from({ length: 130 }, (_, index) => `k${index}`),
      'many',
      'last',
    ])
  })

  it('do not share the error of one key', async () => {
    const reads = [batches.read('k1', []), batches.read('k2', []), batches.read('k3', [], STAMP)]
    const outcomes = Promise.allSettled(reads)
    await turn()
    const replies = [new Error('NOPERM this key'), Buffer.from('k2'), new Error('NOSCRIPT none')]
    exchange().answer(replies, view())
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
    expect(byScript).toEqual(['k3'])
    expect(exchanges).toHaveLength(1)
  })

  it('end together when the exchange fails', async () => {
    const outcomes = Promise.allSettled([batches.read('k1', []), batches.readTags(['x'])])
    await turn()
    exchange().fail(new Error('lost'))
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: { message: 'lost' } })
  })
})

describe('a tag state that is not whole', () => {
  it('is made whole, and everybody asks again, entries included', async () => {
    const reads = [batches.read('k1', ['x']), batches.read('k2', ['y'])]
    await turn()
    exchange(0).answer(entries(exchange(0)), undefined)
    await turn()
    expect(recoveries).toBe(1)
    expect(keysOf(exchange(1))).toEqual(['k1', 'k2'])
    exchange(1).answer([Buffer.from('newer'), null], view(5))
    const [one, other] = await Promise.all(reads)
    expect([textOf(one as StoredBytes), one?.view.clock, other?.bytes]).toEqual(['newer', 5, null])
  })

  it('fails the reads when it does not hold still', async () => {
    const outcomes = Promise.allSettled([batches.read('k1', ['x']), batches.read('k2', ['y'])])
    for (let attempt = 0; attempt < 3; attempt++) {
      await turn()
      exchange(attempt).answer(entries(exchange(attempt)), undefined)
    }
    for (const { status } of await outcomes) expect(status).toBe('rejected')
    expect(recoveries).toBe(2)
  })

  it('with a damaged tag is mended for those who asked for the tag; others have their answer', async () => {
    let release = (): void => {}
    mend = () => new Promise((resolve) => (release = resolve))
    const touched = batches.read('k1', ['x', 'broken'])
    const other = batches.read('k2', ['x'])
    await turn()
    exchange(0).answer(entries(exchange(0)), view(3, ['broken']))
    expect(textOf(await other)).toBe('k2')
    expect(mended).toEqual([['broken']])
    expect(exchanges).toHaveLength(1)
    release()
    await turn()
    expect(keysOf(exchange(1))).toEqual(['k1'])
    expect(exchange(1).tags).toEqual(['x', 'broken'])
    exchange(1).answer(entries(exchange(1)), view(4))
    expect((await touched).view.clock).toBe(4)
  })

  it('whose damage stays is judged as it is: nothing with the tag is served', async () => {
    const read = batches.read('k1', ['broken'])
    for (let attempt = 0; attempt < 3; attempt++) {
      await turn()
      exchange(attempt).answer(entries(exchange(attempt)), view(3, ['broken']))
    }
    expect((await read).view.records.get('broken')).toEqual({ hard: NEVER, soft: [] })
    expect(mended).toHaveLength(2)
  })
})

describe('a claim that goes along', () => {
  const settled = (): { bid: Bid; states: (LeaseState | undefined)[] } => {
    const states: (LeaseState | undefined)[] = []
    return { bid: { token: 'mine', ttlMs: 9, settle: (state) => void states.push(state) }, states }
  }
  const granted: RedisReply = 1

  it('is sent behind its read, and each is answered with its own', async () => {
    const { bid, states } = settled()
    const reads = [
      batches.read('k1', []),
      batches.read('k2', [], undefined, undefined, bid),
      batches.read('k3', []),
    ]
    await turn()
    expect(exchange().commands.map(({ args }) => args[0])).toEqual([
      'GETRANGE',
      'GETRANGE',
      'EVALSHA',
      'GETRANGE',
    ])
    expect(exchange().commands[2]?.args.slice(2)).toEqual(['2', 'k2:lease', 'k2', 'mine', '9', ''])
    exchange().answer([Buffer.from('one'), Buffer.alloc(0), granted, Buffer.from('three')], view())
    const [one, two, three] = await Promise.all(reads)
    expect([one?.bytes, two?.bytes, three?.bytes].map(String)).toEqual(['one', 'null', 'three'])
    expect(states).toEqual([{ holder: 'mine', livesMs: 9 }])
  })

  it('is settled when its reader has left, and when the reply is lost', async () => {
    const [left, lost] = [settled(), settled()]
    const hasty = batches.read('k1', [], undefined, { leftMs: 1 }, left.bid)
    const calm = batches.read('k2', [])
    await expect(hasty).rejects.toMatchObject({ code: 'TIMEOUT' })
    exchange().answer([null, granted, null], view())
    await calm
    expect(left.states).toEqual([{ holder: 'mine', livesMs: 9 }])
    const read = batches.read('k1', [], undefined, undefined, lost.bid)
    await turn()
    exchange(1).fail(new Error('lost'))
    await expect(read).rejects.toThrow('lost')
    expect(lost.states).toEqual([undefined])
  })

  it('is made once, and never where the server does not know the script', async () => {
    const [once, unknown] = [settled(), settled()]
    const read = batches.read('k1', [], undefined, undefined, once.bid)
    const other = batches.read('k2', [], undefined, undefined, unknown.bid)
    await turn()
    exchange(0).answer([null, granted, null, new Error('NOSCRIPT none')], undefined)
    await turn()
    expect(keysOf(exchange(1))).toEqual(['k1', 'k2'])
    exchange(1).answer([null, Buffer.from('two')], view())
    expect([(await read).bytes, String((await other).bytes)]).toEqual([null, 'two'])
    expect(once.states).toEqual([{ holder: 'mine', livesMs: 9 }])
    expect(unknown.states).toEqual([])
  })
})

describe('patience', () => {
  const patience = (leftMs: number): Patience => ({ leftMs })

  it('of the most patient is what the exchange may take, of others what they wait themselves', async () => {
    const hasty = batches.read('k1', [], undefined, patience(1))
    const calm = batches.read('k2', [], undefined, patience(20_000))
    await expect(hasty).rejects.toMatchObject({ code: 'TIMEOUT' })
    expect(exchange().timeoutMs).toBe(20_000)
    // The exchange went on; the reply of whoever left goes nowhere.
    exchange().answer(entries(exchange()), view())
    expect(textOf(await calm)).toBe('k2')
  })

  it('ends one after the other', async () => {
    const left: number[] = []
    const reads = [3, 1, 2].map((leftMs) =>
      batches.read(`k${leftMs}`, [], undefined, patience(leftMs)).catch(() => left.push(leftMs)),
    )
    const calm = batches.readTags([])
    await Promise.all(reads)
    expect(left).toEqual([1, 2, 3])
    expect(exchange().timeoutMs).toBe(COMMAND_MS)
    exchange().answer(entries(exchange()), view())
    await calm
  })

  it('that is over while the state is mended asks no second time', async () => {
    let release = (): void => {}
    mend = () => new Promise((resolve) => (release = resolve))
    const hasty = batches.read('k1', ['broken'], undefined, patience(50))
    const calm = batches.read('k2', ['broken'])
    const outcome = expect(hasty).rejects.toMatchObject({ code: 'TIMEOUT' })
    await turn()
    exchange(0).answer(entries(exchange(0)), view(3, ['broken']))
    await outcome
    release()
    await turn()
    expect(keysOf(exchange(1))).toEqual(['k2'])
    exchange(1).answer(entries(exchange(1)), view())
    await calm
  })
})
