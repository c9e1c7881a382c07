import { EventEmitter } from 'node:events'
import { expect, it, vi } from 'vitest'
import { endWithProcess } from '../../runtime/process-end'

function endOf(pid: number) {
  const host = Object.assign(new EventEmitter(), { pid, kill: vi.fn() })
  const close = vi.fn(async () => {})
  const sendWhatWaits = vi.fn(async () => {})
  const detach = endWithProcess(
    { sendWhatWaits, releaseLeases: async () => {}, sayWhatIsLeft() {}, close },
    host as unknown as NodeJS.Process,
  )
  return { host, close, detach, sendWhatWaits }
}

it('a signal that nobody else handles ends a process once the runtime is closed', async () => {
  const { host, close } = endOf(4711)
  host.emit('SIGTERM', 'SIGTERM')
  expect(close).toHaveBeenCalledOnce()
  await vi.waitFor(() => expect(host.kill).toHaveBeenCalledExactlyOnceWith(4711, 'SIGTERM'))
})

it('process 1 of a container goes on after such a signal, and so does its cache', async () => {
  const { host, close, sendWhatWaits } = endOf(1)
  host.emit('SIGTERM', 'SIGTERM')
  expect(sendWhatWaits).toHaveBeenCalledOnce()
  await new Promise(setImmediate)
  expect(close).not.toHaveBeenCalled()
  expect(host.kill).not.toHaveBeenCalled()
  expect(host.listenerCount('SIGTERM')).toBe(1)
})

it('who left does not come back after a signal', async () => {
  const { host, detach } = endOf(4711)
  host.on('SIGTERM', detach)
  host.emit('SIGTERM', 'SIGTERM')
  await new Promise(setImmediate)
  expect(host.listeners('SIGTERM')).toEqual([detach])
})
