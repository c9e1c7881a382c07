import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The user under which the suites run with `NDC_ACL=1`. */
export const ACL_USER = 'ndc-shop'
const PASSWORD = 'acl-password'

/** The rules of the one line in docs/security.md that operators copy, for other keys and a password of ours. */
export function aclRules(keys: string, channel: string): string[] {
  const text = readFileSync(join(__dirname, '../../docs/security.md'), 'utf8')
  const line = /^```text acl\n(ACL SETUSER .+)\n```$/m.exec(text)?.[1]
  if (line === undefined) throw new Error('docs/security.md has no ACL line')
  const [, , user, ...rules] = line.split(' ')
  if (user !== ACL_USER) throw new Error(`docs/security.md names another user: ${user}`)
  const replaced: Record<string, string> = {
    '>password': `>${PASSWORD}`,
    '~ndc:shop:*': `~${keys}`,
    '&ndc:shop:bus': `&${channel}`,
  }
  for (const rule of Object.keys(replaced))
    if (!rules.includes(rule)) throw new Error(`The ACL line has no ${rule}`)
  return rules.map((rule) => replaced[rule] ?? rule)
}

/** The URL with the user in it. */
export function asUser(url: string): string {
  return url.replace('//', `//${ACL_USER}:${PASSWORD}@`)
}

type Command = (...args: [string, ...string[]]) => Promise<unknown>

/** What the user was denied, as Redis logged it. */
export async function deniedTo(command: Command): Promise<string[]> {
  const log = (await command('ACL', 'LOG')) as unknown[][]
  const denied: string[] = []
  for (const entry of log) {
    const of = (name: string) => String(entry[entry.indexOf(name) + 1])
    if (of('username') === ACL_USER) denied.push(`${of('reason')} ${of('object')}`)
  }
  return denied
}
