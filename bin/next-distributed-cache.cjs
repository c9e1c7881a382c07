#!/usr/bin/env node
'use strict'

// The command line of the package. It holds the name; the commands arrive with later releases.
const { name, version, engines, peerDependencies } = require('../package.json')

const help = `${name} ${version}

Usage
  npx ${name} --help       this text
  npx ${name} --version    the version that is installed

This release has no other commands. The cache is configured in next.config:

  import { withDistributedCache } from '${name}'
  export default withDistributedCache(nextConfig)

Needs Node.js ${engines.node}, Next.js ${peerDependencies.next}, and ioredis or redis.
`

const [argument] = process.argv.slice(2)
if (argument === undefined || argument === '--help' || argument === '-h') {
  process.stdout.write(help)
} else if (argument === '--version' || argument === '-v') {
  process.stdout.write(`${version}\n`)
} else {
  process.stderr.write(
    `[${name}] There is no command "${argument}" in version ${version}. Run it with --help to see what there is.\n`,
  )
  process.exitCode = 2
}
