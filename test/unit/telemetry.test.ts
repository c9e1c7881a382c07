import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { expect, it, vi } from 'vitest'
import { CHANNEL_PREFIX, createEmit } from '../../runtime/telemetry'

it('makes a message only for somebody who listens', () => {
  const emit = createEmit(false)
  const make = vi.fn(() => ({ records: 1 }))
  emit('damaged', make)
  expect(make).not.toHaveBeenCalled()
  const listener = vi.fn()
  subscribe(`${CHANNEL_PREFIX}damaged`, listener)
  emit('damaged', make)
  emit('damaged', { records: 2 })
  unsubscribe(`${CHANNEL_PREFIX}damaged`, listener)
  expect(listener.mock.calls.map(([message]) => message as unknown)).toEqual([{ records: 1 }, { records: 2 }])
})
