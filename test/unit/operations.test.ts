import { channel } from 'node:diagnostics_channel'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { CHANNEL_PREFIX, EVENTS } from '../../runtime/telemetry'

const root = resolve(__dirname, '../..')
const page = readFileSync(join(root, 'docs/operations.md'), 'utf8')

/** What the source gives to `log` first: the topic, as a text or as a constant, with gaps where it is put together. */
function topicsInSource(): string[] {
  const files = readdirSync(join(root, 'runtime'), { recursive: true, encoding: 'utf8' })
  const sources = files.filter((name) => name.endsWith('.ts')).map((name) => join(root, 'runtime', name))
  return sources.flatMap((path) => {
    const source = readFileSync(path, 'utf8')
    const given = source.matchAll(/\blog\(\s*(?:'([^']+)'|`([^`]+)`|([A-Z][A-Z_]+)\b)/g)
    return [...given].map(([, text, template, constant]) => {
      if (constant === undefined) return text ?? template ?? ''
      const value = new RegExp(`const ${constant} = '([^']+)'`).exec(source)?.[1]
      if (value === undefined) throw new Error(`${path}: what is ${constant}?`)
      return value
    })
  })
}

describe('docs/operations.md', () => {
  it('explains every message of the log', () => {
    const topics = topicsInSource().filter((topic) => topic !== 'Other messages')
    expect(topics.length).toBeGreaterThanOrEqual(12)
    const unexplained = topics.filter((topic) => {
      const parts = topic.split(/\$\{[^}]+\}/)
      return !parts.every((part) => page.includes(part.trim()))
    })
    expect(unexplained).toEqual([])
  })

  it('lists every event, and no other', () => {
    const [, table = ''] = /\| event \|.*\n\|[-|]+\n((?:\|.*\n)+)/.exec(page) ?? []
    const listed = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, event]) => event)
    expect(listed.toSorted()).toEqual(EVENTS.toSorted())
  })

  describe('its example', () => {
    let folder: string | undefined
    afterEach(async () => {
      vi.restoreAllMocks()
      vi.useRealTimers()
      vi.unstubAllEnvs()
      if (folder !== undefined) await rm(folder, { recursive: true })
    })

    it('counts what it says', async () => {
      const code = /```js\n([^`]*?register[\s\S]*?)```/.exec(page)?.[1]
      folder = await mkdtemp(join(tmpdir(), 'ndc-example-'))
      const file = join(folder, 'instrumentation.mjs')
      await writeFile(file, code ?? '')
      const { register } = (await import(pathToFileURL(file).href)) as { register(): Promise<void> }
      vi.stubEnv('NEXT_RUNTIME', 'nodejs')
      vi.useFakeTimers()
      const printed = vi.spyOn(console, 'log').mockReturnValue()
      await register()
      channel(`${CHANNEL_PREFIX}read`).publish({ scope: 'fetch', result: 'hit', tier: 'local' })
      channel(`${CHANNEL_PREFIX}waited`).publish({ outcome: 'gave-up' })
      channel(`${CHANNEL_PREFIX}lost`).publish({ tags: 1, everything: false })
      vi.advanceTimersByTime(60_000)
      expect(printed.mock.calls).toEqual([['{"read fetch hit local":1,"waited gave-up":1,"lost":1}']])
    })
  })
})
