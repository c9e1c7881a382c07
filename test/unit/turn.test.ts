import { Writable } from 'node:stream'
import { expect, it } from 'vitest'
import { holdForTurn } from '../../runtime/clients/turn'

function listen() {
  const written: string[] = []
  const note = (chunks: { chunk: unknown }[]): void =>
    void written.push(chunks.map(({ chunk }) => String(chunk)).join('+'))
  const stream = new Writable({
    write(chunk, _encoding, done) {
      note([{ chunk }])
      done()
    },
    writev(chunks, done) {
      note(chunks)
      done()
    },
  })
  const send = (text: string): void => {
    stream.write(text)
    holdForTurn(stream)
  }
  return { stream, written, send }
}

const turn = () => new Promise(setImmediate)

it('writes the first of a turn at once, and the others together', async () => {
  const { written, send } = listen()
  send('a')
  expect(written).toEqual(['a'])
  await Promise.resolve()
  send('b')
  await Promise.resolve()
  send('c')
  expect(written).toEqual(['a'])
  await turn()
  expect(written).toEqual(['a', 'b+c'])
  send('d')
  expect(written).toEqual(['a', 'b+c', 'd'])
  await turn()
})

it('does so for each stream, and bears one that was destroyed', async () => {
  const [one, other] = [listen(), listen()]
  one.send('a')
  one.send('b')
  other.send('c')
  other.send('d')
  one.stream.destroy()
  await turn()
  expect(other.written).toEqual(['c', 'd'])
  other.send('e')
  expect(other.written).toEqual(['c', 'd', 'e'])
  await turn()
})
