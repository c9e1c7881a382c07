import { expect, it } from 'vitest'
import type { RedisClient, RedisCommand, RedisReply } from '../../runtime/clients/client'
import { RecordWriter } from '../../runtime/store/record-writer'
import { hashSlot } from '../../src/hash-slot'
import { HEAD_BYTES } from '../../src/record'

const KEY = 'ndc:test:build-1:u:{key}'
const RECORD = Buffer.alloc(10_000, 'record')

function writerOver(answer: (commands: readonly RedisCommand[]) => RedisReply[]) {
  const batches: (readonly RedisCommand[])[] = []
  const send = async (commands: readonly RedisCommand[]): Promise<RedisReply[]> => {
    batches.push(commands)
    return answer(commands)
  }
  let sequence = 0
  const options = { client: { send } as unknown as RedisClient, publisher: 'me', bus: 'ndc:test:bus' }
  const writer = new RecordWriter(options, () => ({ publisher: 'me', sequence: sequence++ }))
  return { writer, batches }
}

it('a record arrives under a name of its own, for a minute at most, and no script is given its bytes', async () => {
  const { writer, batches } = writerOver(() => [Buffer.from('OK'), 1])
  expect(await writer.write(KEY, RECORD, 1000, {})).toBe('stored')
  expect(await writer.write(KEY, RECORD, 1000, {})).toBe('stored')
  expect(await writer.add(KEY, RECORD, 1000)).toBe('stored')
  const arrivals = batches.map(([set, script]) => {
    const [name, arrival, record, ...life] = (set?.args ?? []) as (string | Buffer)[]
    expect([name, record, ...life]).toEqual(['SET', RECORD, 'PX', '60000'])
    expect(hashSlot(String(arrival))).toBe(hashSlot(KEY))
    expect(script?.args).toContain(arrival)
    for (const arg of script?.args ?? []) expect(arg.length).toBeLessThan(HEAD_BYTES + 200)
    return String(arrival)
  })
  expect(new Set([KEY, ...arrivals]).size).toBe(4)
})

it('a script that the server does not know finds the record where it arrived', async () => {
  const { writer, batches } = writerOver((commands) =>
    commands.length === 2 ? [Buffer.from('OK'), new Error('NOSCRIPT none')] : [0],
  )
  expect(await writer.write(KEY, RECORD, 1000, {})).toBe('superseded')
  expect(batches.map((commands) => commands.map(({ args }) => args[0]))).toEqual([
    ['SET', 'EVALSHA'],
    ['EVAL'],
  ])
  expect(batches[1]?.[0]?.args).toContain(batches[0]?.[0]?.args[1])
})

it('a record that could not arrive is a failed write, whatever the script says', async () => {
  const { writer } = writerOver(() => [new Error('OOM command not allowed'), 1])
  await expect(writer.write(KEY, RECORD, 1000, {})).rejects.toThrow('OOM')
})
