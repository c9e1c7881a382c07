import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { EVENTS } from '../../runtime/telemetry'

it('docs/telemetry.md lists every event, and no other', () => {
  const page = readFileSync(join(__dirname, '..', '..', 'docs', 'telemetry.md'), 'utf8')
  const [, table = ''] = /\| event \|.*\n\|[-|]+\n((?:\|.*\n)+)/.exec(page) ?? []
  const listed = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, event]) => event)
  expect(listed.toSorted()).toEqual(EVENTS.toSorted())
})
