import { expect, it } from 'vitest'
import { JoinedReads } from '../../runtime/handlers/joined-reads'

const nextTurn = () => new Promise<void>((resolve) => void setImmediate(resolve))

it('who reads what this turn has answered waits until it is over, and nobody else does', async () => {
  const joined = new JoinedReads()
  expect(joined.wait('a')).toBeUndefined()
  joined.note('a')
  expect(joined.wait('b')).toBeUndefined()
  let isOver = false
  const waits = [joined.wait('a'), joined.wait('a')].map(async (turn) => {
    await turn
    isOver = true
  })
  // Whatever needs no turn of its own comes before.
  for (let step = 0; step < 10; step++) await Promise.resolve()
  expect(isOver).toBe(false)
  await Promise.all(waits)
  // One request after the other, as of a lone visitor: none waits.
  for (let visit = 0; visit < 3; visit++) {
    expect(joined.wait('a')).toBeUndefined()
    joined.note('a')
    await nextTurn()
  }
})

it('what is answered at the end of a turn belongs to the next', async () => {
  const joined = new JoinedReads()
  joined.note('a')
  await joined.wait('a')
  expect(joined.wait('a')).toBeUndefined()
  joined.note('a')
  const next = joined.wait('a')
  expect(next).toBeDefined()
  await next
  expect(joined.wait('a')).toBeUndefined()
})
