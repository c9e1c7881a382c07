import { describe, expect, it } from 'vitest'
import { detectPhase } from '../../plugin/phase'

const next = (...args: string[]) => ['node', '/app/node_modules/.bin/next', ...args]
const worker = ['node', '/app/node_modules/next/dist/compiled/jest-worker/processChild.js']

describe('detectPhase', () => {
  it.each([
    ['phase-production-build', 'build'],
    ['phase-development-server', 'dev'],
    ['phase-production-server', 'start'],
    ['phase-test', 'unknown'],
    ['phase-info', 'unknown'],
  ])('believes Next: %s', (phase, expected) => {
    expect(detectPhase(phase, { NODE_ENV: 'development' }, next('dev'))).toBe(expected)
  })

  it.each([
    [next('build'), {}, 'build'],
    // --debug-prerender
    [next('build'), { NODE_ENV: 'development' }, 'build'],
    [['node', '/app/node_modules/next/dist/bin/next', 'start'], { NODE_ENV: 'production' }, 'start'],
    [next('dev'), {}, 'dev'],
    [next('typegen'), { NODE_ENV: 'production' }, 'unknown'],
    [worker, { NEXT_PHASE: 'phase-production-build', NODE_ENV: 'development' }, 'build'],
    [worker, { NEXT_DISTRIBUTED_CACHE_PHASE: 'build', NODE_ENV: 'development' }, 'build'],
    [worker, { NODE_ENV: 'development' }, 'dev'],
    [['node', 'server.js'], { __NEXT_DEV_SERVER: '1' }, 'dev'],
    [['node', 'server.js'], { NODE_ENV: 'production' }, 'start'],
    [['node', 'server.js'], {}, 'unknown'],
    [['node', '/app/node_modules/.bin/eslint'], { NODE_ENV: 'test' }, 'unknown'],
    [[], {}, 'unknown'],
  ])('looks at the process for an object config: %j %j', (argv, variables, expected) => {
    expect(detectPhase(undefined, variables, argv)).toBe(expected)
  })
})
