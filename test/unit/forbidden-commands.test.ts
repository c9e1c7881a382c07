import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { aclRules } from '../support/acl'

const ROOT = join(__dirname, '../..')
const sources = ['runtime', 'src', 'templates'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.m?ts$/.test(name))
    .map((name) => ({ name: `${folder}/${name}`, text: readFileSync(join(ROOT, folder, name), 'utf8') })),
)

/** Quoted and in capitals as our commands are, in a script, or a driver's method. Comments may speak of them. */
const FORBIDDEN =
  /['"`](?:KEYS|H?SCAN|SSCAN|ZSCAN|CONFIG|FLUSHALL|FLUSHDB|MONITOR|DEBUG|SHUTDOWN|SORT|HGETALL|PSUBSCRIBE)['"`]|call\('(?:keys|\w?scan|config|flush\w*)'|__key(?:space|event)|notify-keyspace|\.(?:flushall|flushdb|scanIterator|hgetall|psubscribe)\(/

describe('no file of the runtime', () => {
  it('walks, flushes, configures or watches a Redis that others use', () => {
    expect(sources.length).toBeGreaterThan(60)
    expect(sources.filter(({ text }) => FORBIDDEN.test(text)).map(({ name }) => name)).toEqual([])
  })

  it('calls a command in a script that docs/security.md does not grant', () => {
    const granted = new Set(aclRules('x', 'y').map((rule) => rule.replace(/^\+/, '')))
    const called = new Set<string>()
    for (const { text } of sources)
      for (const [, command = ''] of text.matchAll(/redis\.p?call\('(\w+)'/g))
        called.add(command.toLowerCase())
    expect(called.size).toBeGreaterThan(10)
    expect([...called].filter((command) => !granted.has(command))).toEqual([])
  })
})
