import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The user under which the suites run with `NDC_ACL=1`. */
export const ACL_USER = 'ndc-shop'
export const ACL_PASSWORD = 'acl-password'

/** The rules of the one line in docs/security.md that operators copy, for other keys and a password of ours. */
export function aclRules(keys: string, channel: string): string[] {
  const [, , user, ...rules] = lineOf('acl').split(' ')
  if (user !== ACL_USER) throw new Error(`docs/security.md names another user: ${user}`)
  return replaced(rules, {
    '>password': `>${ACL_PASSWORD}`,
    '~ndc:shop:*': `~${keys}`,
    '&ndc:shop:bus': `&${channel}`,
  })
}

/** What that page adds for the nodes of a Cluster, or for servers below sentinels. */
export const clusterRules = (): string[] => lineOf('acl-cluster').split(' ')
export const sentinelServerRules = (): string[] => lineOf('acl-sentinel-servers').split(' ')

/** The rules of the user on the sentinels themselves. */
export const sentinelRules = (): string[] =>
  replaced(lineOf('acl-sentinels').split(' ').slice(3), { '>password': `>${ACL_PASSWORD}` })

/** For the command line of a server, so that no moment exists in which it runs without its user. */
export const userArguments = (rules: readonly string[]): string[] => ['--user', ACL_USER, ...rules]

function lineOf(mark: string): string {
  const text = readFileSync(join(__dirname, '../../docs/security.md'), 'utf8')
  const line = new RegExp(`^\`\`\`text ${mark}\\n(.+)\\n\`\`\`$`, 'm').exec(text)?.[1]
  if (line === undefined) throw new Error(`docs/security.md has no line marked ${mark}`)
  return line
}

function replaced(rules: readonly string[], by: Readonly<Record<string, string>>): string[] {
  for (const rule of Object.keys(by))
    if (!rules.includes(rule)) throw new Error(`The ACL line has no ${rule}`)
  return rules.map((rule) => by[rule] ?? rule)
}

/** The URL with the user in it. */
export function asUser(url: string): string {
  return url.replace('//', `//${ACL_USER}:${ACL_PASSWORD}@`)
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

/**
 * Changes the rights of whoever the URL names. The returned function changes them again, and forgets what was
 * denied meanwhile: that was meant.
 */
export async function withRule(url: string, command: Command, rule: string, afterwards: string) {
  const user = /\/\/([^:@/]+):[^@/]*@/.exec(url)?.[1] ?? 'default'
  const denied = await deniedTo(command)
  if (denied.length > 0) throw new Error(`The ACL user was denied: ${denied.join(', ')}`)
  await command('ACL', 'SETUSER', user, rule)
  return async (): Promise<void> => {
    await command('ACL', 'SETUSER', user, afterwards)
    await command('ACL', 'LOG', 'RESET')
  }
}
