import { expect, it } from 'vitest'
import { abilitiesOf, installedNextVersion } from '../../runtime/handlers/next-version'

it.each([
  ['16.2.12', false, false],
  ['16.3.8', false, true],
  ['16.4.0-canary.1', true, true],
  ['16.4.6', true, true],
  [undefined, true, true],
])('Next %s', (version, honoursCacheControl, enforcesExpire) => {
  expect(abilitiesOf(version)).toEqual({ honoursCacheControl, enforcesExpire })
})

it('finds the installed version', () => expect(installedNextVersion()).toMatch(/^16\.\d+\.\d+/))
