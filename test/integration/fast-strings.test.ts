import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'

/** What a new process says of `String.prototype` once it has loaded the client, and a subclass of a package of its own. */
function afterLoading(client: string): string {
  const path = join(__dirname, '..', '..', 'dist', 'runtime', 'clients', client)
  const script = `
    const isFast = () => %HasFastProperties(String.prototype)
    require(${JSON.stringify(path)})
    const loaded = isFast()
    new (class Text extends String {})('')
    console.log(loaded, isFast())`
  return execFileSync(process.execPath, ['--allow-natives-syntax', '-e', script], { encoding: 'utf8' }).trim()
}

it.each(['ioredis', 'node-redis'])('texts are as fast as they were after %s is loaded', (client) => {
  expect(afterLoading(client)).toBe('true true')
})
