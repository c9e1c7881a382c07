// Publishes what changesets has versioned. npm checks the provenance of a package against the repository that its
// package.json names, and this repository does not know where it is hosted: the release workflow does.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const { GITHUB_REPOSITORY: repository, GITHUB_SERVER_URL: server } = process.env

const run = (command, args) => execFileSync(command, args, { cwd: root, stdio: 'inherit' })

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
if (manifest.repository === undefined && repository && server) {
  run('npm', ['pkg', 'set', 'repository.type=git', `repository.url=git+${server}/${repository}.git`])
}
run('npx', ['--no-install', 'changeset', 'publish'])
