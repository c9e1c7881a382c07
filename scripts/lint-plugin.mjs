// The rules of this repository that no linter ships, as an oxlint plugin (.oxlintrc.json, `jsPlugins`).
import * as fs from 'node:fs'
import { relative, sep } from 'node:path'
import { judgeImport, servesRequests } from './lint-layers.mjs'

const pathOf = (context) => relative(context.cwd, context.filename).split(sep).join('/')

const literal = (node) =>
  node?.type === 'Literal' && typeof node.value === 'string' ? node.value : undefined

/** Imports point one way: see lint-layers.mjs. Covers import, export from, import(), require() and import types. */
const layers = {
  meta: { type: 'problem' },
  create(context) {
    const file = pathOf(context)
    const judge = (node, source, typeOnly) => {
      const specifier = literal(source)
      if (specifier === undefined) return
      const message = judgeImport(file, specifier, typeOnly)
      if (message !== undefined) context.report({ node, message })
    }
    return {
      ImportDeclaration(node) {
        const typeOnly =
          node.importKind === 'type' ||
          (node.specifiers.length > 0 && node.specifiers.every((each) => each.importKind === 'type'))
        judge(node, node.source, typeOnly)
      },
      ExportNamedDeclaration(node) {
        if (node.source) judge(node, node.source, node.exportKind === 'type')
      },
      ExportAllDeclaration(node) {
        judge(node, node.source, node.exportKind === 'type')
      },
      ImportExpression(node) {
        judge(node, node.source, false)
      },
      TSImportType(node) {
        judge(node, node.source ?? node.argument?.literal ?? node.argument, true)
      },
      TSImportEqualsDeclaration(node) {
        judge(node, node.moduleReference.expression, node.importKind === 'type')
      },
      CallExpression(node) {
        const { callee } = node
        const isRequire =
          (callee.type === 'Identifier' && callee.name === 'require') ||
          (callee.type === 'MemberExpression' &&
            callee.object.type === 'Identifier' &&
            callee.object.name === 'require' &&
            callee.property.name === 'resolve')
        if (isRequire) judge(node, node.arguments[0], false)
      },
    }
  },
}

const synchronousCalls = new Set(Object.keys(fs).filter((name) => name.endsWith('Sync')))

/** Nothing that runs while a request waits may block the event loop on the disk. */
const noSyncFs = {
  meta: { type: 'problem' },
  create(context) {
    if (!servesRequests(pathOf(context))) return {}
    const message =
      'A synchronous file system call blocks every request of this process: use node:fs/promises.'
    return {
      ImportSpecifier(node) {
        if (synchronousCalls.has(node.imported.name)) context.report({ node, message })
      },
      MemberExpression(node) {
        if (synchronousCalls.has(node.property.name)) context.report({ node, message })
      },
    }
  },
}

export default {
  meta: { name: 'house' },
  rules: { layers, 'no-sync-fs': noSyncFs },
}
