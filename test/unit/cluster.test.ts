import { describe, expect, it } from 'vitest'
import type { RedisReply } from '../../runtime/clients/client'
import { createClusterClient } from '../../runtime/clients/cluster'
import { parseClusterSlots, parseRedirection, splitAddress } from '../../runtime/clients/cluster-slots'
import { hashSlot } from '../../src/hash-slot'
import { createKeyNames, leaseName } from '../../src/key-names'
import { keyPayload } from '../../src/bus-message'
import { isLaneOf, Lanes } from '../../src/lanes'
import { Bus } from '../../runtime/bus/bus'
import { targetOf } from '../support/redis-target'

const text = (value: string) => Buffer.from(value)

describe('hashSlot', () => {
  // As CLUSTER KEYSLOT answers.
  it.each([
    ['123456789', 12_739],
    ['foo', 12_182],
    ['', 0],
    ['{user1000}.following', 3443],
    ['user1000', 3443],
    ['foo{}{bar}', 8363],
    ['foo{{bar}}zap', 4015],
    ['foo{bar}{zap}', 5061],
    ['Grüße', hashSlot('{Grüße}x')],
  ])('%s: %i', (key, slot) => {
    expect(hashSlot(key)).toBe(slot)
  })

  it('keeps an entry and its lease together, and entries apart', () => {
    const { entry } = createKeyNames('ndc:shop', 'build')
    const keys = Array.from({ length: 200 }, (_, index) => entry('fetch', `key ${index}`))
    for (const key of keys) expect(hashSlot(leaseName(key))).toBe(hashSlot(key))
    expect(new Set(keys.map(hashSlot)).size).toBeGreaterThan(190)
  })
})

describe('CLUSTER SLOTS', () => {
  it('takes the primary of each range, and nobody where there is none', () => {
    const owners = parseClusterSlots(
      [
        [0, 1, [text('10.0.0.1'), 6379, text('id')], [text('10.0.0.9'), 6379, text('replica')]],
        [3, 16_383, [text('fe80::1'), 7000, text('id')]],
      ],
      'asked',
    )
    expect(owners?.slice(0, 4)).toEqual(['10.0.0.1:6379', '10.0.0.1:6379', undefined, 'fe80::1:7000'])
    expect(splitAddress(owners?.[3] as string)).toEqual({ host: 'fe80::1', port: 7000 })
  })

  it.each([
    ['an empty endpoint', text(''), [], 'asked:1'],
    ['an unknown endpoint', null, [], 'asked:1'],
    ['no host name, but an address', text('?'), [text('ip'), text('10.0.0.1')], '10.0.0.1:1'],
    ['no host name', text('?'), [], 'asked:1'],
  ])('%s', (_what, endpoint, metadata, address) => {
    expect(parseClusterSlots([[0, 0, [endpoint, 1, text('id'), metadata]]], 'asked')?.[0]).toBe(address)
  })

  it.each([
    [null],
    [1],
    [[1]],
    [[[0, 'x', []]]],
    [[[0, 16_384, [text('a'), 1]]]],
    [[[-1, 3, [text('a'), 1]]]],
  ])('is not what was expected: %j', (reply) => {
    expect(parseClusterSlots(reply as never, 'asked')).toBeUndefined()
  })
})

describe('redirections', () => {
  it.each([
    ['MOVED 3999 127.0.0.1:6381', { kind: 'MOVED', slot: 3999, address: '127.0.0.1:6381' }],
    ['ASK 3999 node.internal:6381', { kind: 'ASK', slot: 3999, address: 'node.internal:6381' }],
    ['MOVED 3999 :6381', { kind: 'MOVED', slot: 3999, address: 'asked:6381' }],
    ['MOVED 3999 ?:6381', { kind: 'MOVED', slot: 3999, address: 'asked:6381' }],
    ['MOVED 1 fe80::1:6381', { kind: 'MOVED', slot: 1, address: 'fe80::1:6381' }],
    ['MOVED 99999 127.0.0.1:6381', undefined],
    ['ERR MOVED 3999 127.0.0.1:6381', undefined],
  ])('%s', (message, redirection) => {
    expect(parseRedirection(message, 'asked')).toEqual(redirection)
  })
})

describe('lanes', () => {
  it('number each node by itself, and a single server without a name', () => {
    const lanes = new Lanes('me')
    expect(lanes.next('', 'a')).toEqual({ publisher: 'me', sequence: 1 })
    expect(lanes.next('node:1', 'b')).toEqual({ publisher: 'me@node:1', sequence: 1 })
    expect(lanes.next('node:1', 'c')).toEqual({ publisher: 'me@node:1', sequence: 2 })
    expect(lanes.last('')).toEqual({ publisher: 'me', sequence: 1 })
    expect(lanes.last('node:2')).toEqual({ publisher: 'me@node:2', sequence: 0 })
    expect([isLaneOf('me', 'me'), isLaneOf('me@node:1', 'me'), isLaneOf('meme', 'me')]).toEqual([
      true,
      true,
      false,
    ])
  })

  it('repeat what was said on other nodes, through the key that was said there', () => {
    const lanes = new Lanes('me')
    const node: Record<string, string> = { a: 'node:1', b: 'node:2', tags: 'home' }
    for (const key of ['a', 'b', 'tags']) lanes.next(node[key] as string, key)
    const others = () => lanes.others('home', (key) => node[key] as string)
    const said = [
      { key: 'a', origin: { publisher: 'me@node:1', sequence: 1 } },
      { key: 'b', origin: { publisher: 'me@node:2', sequence: 1 } },
    ]
    expect(others()).toEqual(said)
    // The slot moved: once more, by the way of its new node, and then no more.
    node['a'] = 'node:3'
    expect(others()).toEqual(said)
    expect(others()).toEqual([said[1]])
  })

  it('go on counting where a slot came back: what is lost there shows', () => {
    const lanes = new Lanes('me')
    let node = 'node:1'
    const others = () => lanes.others('home', () => node)
    let receive = (_payload: Buffer): void => {}
    const gaps: string[] = []
    const bus = new Bus({
      client: {
        subscribe(_channel, onMessage, onState) {
          receive = onMessage
          onState(true)
          return { close: async () => {} }
        },
      },
      channel: 'bus',
      publisher: 'another',
      listener: {
        onLive() {},
        onInvalidation() {},
        onGap: (reason) => void gaps.push(reason),
        onKey() {},
      },
      isPlausible: () => true,
    })
    bus.use()
    const written = () => Buffer.from(`write ${keyPayload(lanes.next(node, 'a'), 'a')}`)
    for (let count = 0; count < 5; count++) receive(written())
    node = 'node:2'
    others()
    node = 'node:1'
    receive(written())
    gaps.length = 0
    // Lost.
    written()
    receive(written())
    expect(gaps).toEqual(['sequence'])
  })

  it('say nothing more on a single server', () => {
    const lanes = new Lanes('me')
    lanes.next('', 'a')
    expect(lanes.others('', () => '')).toEqual([])
  })
})

it('a map with more primaries than a cluster can have does not end the process', async () => {
  const slots = Array.from({ length: 16_384 }, (_, slot) => [
    slot,
    slot,
    [text('node'), 1_000 + slot, text('')],
  ])
  const dialled: number[] = []
  const unhandled: unknown[] = []
  const note = (error: unknown): void => void unhandled.push(error)
  process.on('unhandledRejection', note)
  const client = createClusterClient(
    ({ port }, _connectMs, events) => {
      dialled.push(port)
      if (port === 6379) setImmediate(() => events.onOpen())
      return {
        write: async (commands) =>
          commands.map(({ args: [name] }): RedisReply => (name === 'CLUSTER' ? slots : text('OK'))),
        ping: async () => text('PONG'),
        subscribe: async () => {},
        destroy() {},
      }
    },
    [targetOf('redis://seed')],
    { homeKey: 'tags', onCircuit: undefined, connectMs: 1_000, commandMs: 500, clientName: 'test' },
  )
  // The map is asked for again, since not all of it can be used.
  await expect.poll(() => dialled.filter((port) => port === 6379).length).toBeGreaterThan(1)
  await client.close()
  process.off('unhandledRejection', note)
  expect(unhandled).toEqual([])
  expect(dialled.length).toBeLessThan(1_100)
})
