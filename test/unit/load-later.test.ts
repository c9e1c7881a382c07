import { expect, it, vi } from 'vitest'
import type { Link, LinkEvents, OpenLink } from '../../runtime/clients/link'
import { loadLater } from '../../runtime/clients/load-later'
import { parseRedisUrl } from '../../src/redis-url'

const target = parseRedisUrl('redis://127.0.0.1:1')
const nextTurn = () => new Promise<void>((resolve) => void setImmediate(resolve))

function setUp() {
  const link = { write: vi.fn(), ping: vi.fn(), subscribe: vi.fn(), destroy: vi.fn() }
  const driverLink = vi.fn<OpenLink>(() => link as unknown as Link)
  const load = vi.fn(() => driverLink)
  const events = { onOpen: vi.fn(), onEnd: vi.fn(), onMessage: vi.fn() } satisfies LinkEvents
  const openLink = loadLater(load)
  return { link, driverLink, load, events, open: () => openLink(target, 100, events) }
}

it('loads the driver after the call that dials, by itself and once', async () => {
  const { link, driverLink, load, events, open } = setUp()
  const first = open()
  open()
  await Promise.resolve()
  expect(load).not.toHaveBeenCalled()
  await nextTurn()
  await nextTurn()
  expect(load).toHaveBeenCalledTimes(1)
  expect(driverLink).toHaveBeenCalledTimes(2)
  expect(driverLink).toHaveBeenCalledWith(target, 100, events, undefined)
  void first.ping()
  expect(link.ping).toHaveBeenCalledTimes(1)
  expect(open()).toBe(link)
})

it('does not dial for a link that was given up meanwhile', async () => {
  const { driverLink, open } = setUp()
  open().destroy()
  await nextTurn()
  await nextTurn()
  expect(driverLink).not.toHaveBeenCalled()
})

it('a driver that cannot be loaded ends the link, in one line, and is tried again', async () => {
  const { load, link, events, open } = setUp()
  load.mockImplementationOnce(() => {
    throw new Error("Cannot find module 'denque'\nRequire stack:\n- /somewhere/ioredis")
  })
  open()
  await nextTurn()
  await nextTurn()
  expect(events.onEnd.mock.calls).toEqual([["the driver cannot be loaded: Cannot find module 'denque'"]])
  open()
  await nextTurn()
  await nextTurn()
  expect(load).toHaveBeenCalledTimes(2)
  expect(open()).toBe(link)
})
