/** One operation, for people. */
export function describeOperation(operation) {
  const { request, fields } = operation
  switch (operation.do) {
    case 'visit':
      return `GET ${operation.path}${operation.as === 'html' ? '' : ` (${operation.as})`}`
    case 'image':
      return `GET ${operation.path}`
    case 'control':
      return request.action === 'revalidateTag'
        ? `revalidateTag('${request.tag}', ${request.profile === undefined ? '{ expire: 0 }' : JSON.stringify(request.profile)})`
        : `revalidatePath('${request.path}'${request.type ? `, '${request.type}'` : ''})`
    case 'action':
      return `action ${operation.form}(${Object.values(fields)
        .map((value) => `'${value}'`)
        .join(', ')}) on ${operation.page}`
    case 'legacy':
      return `res.revalidate('${operation.path}')`
    case 'wait':
      return `wait ${operation.ms} ms`
    default:
      return `origin: ${operation.do} ${operation.id}`
  }
}

function describeObservation({ server, status, cache, location, body, facts, ms }) {
  const parts = Object.entries(facts).map(
    ([reader, { version, answer, render }]) =>
      `${reader} v${version} (${answer} answer${render === answer ? '' : `, ${render} render`})`,
  )
  return [
    `${status}`,
    cache ?? '-',
    ...(location ? [`to ${location}`] : []),
    ...(body ? [body] : []),
    ...(ms > 1_000 ? [`after ${ms} ms`] : []),
    ...parts,
  ]
    .join(' ')
    .concat(`  [${server}]`)
}

/** @param {import('./run-sequence.mjs').Step[]} steps */
export function describeSteps(steps) {
  const lines = []
  for (const [index, { operation, stock, ours, differences, deviation }] of steps.entries()) {
    lines.push(`  ${String(index + 1).padStart(3)}  ${describeOperation(operation)}`)
    if ((stock && operation.do !== 'control' && operation.do !== 'legacy') || differences.length > 0) {
      lines.push(
        `         stock  ${describeObservation(stock)}`,
        `         ours   ${describeObservation(ours)}`,
      )
    }
    if (differences.length > 0)
      lines.push(`    ${deviation ? `allowed by ${deviation}` : '!!!'}  differ in ${differences.join(', ')}`)
  }
  return lines.join('\n')
}

export function describeCircumstances(circumstances) {
  return Object.entries(circumstances)
    .map(([name, value]) => `${name} = ${value}`)
    .join(', ')
}
