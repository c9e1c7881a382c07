// What a person needs to understand a violation: only the events that make it one.

/** @param {object} checker @param {object} origin @param {number} zero the start of the run on the observer's clock */
export function describeViolation(violation, checker, origin, zero) {
  const { rule, lateMs, needed, item, answer, response, began, cause } = violation
  const at = (time) =>
    Math.abs(time) === Infinity ? '   never' : `${((time - zero) / 1000).toFixed(3)}s`.padStart(9)
  const events = []
  const add = (time, text) => events.push({ time, text })
  if (cause.tags !== undefined) {
    const how = cause.windowMs === undefined ? 'hard' : `soft for ${cause.windowMs} ms`
    add(
      cause.invokedAt,
      `${cause.replica} is told to invalidate ${cause.tags.join(', ')} (${how}); ${item.unit} is at version ${needed}`,
    )
    if (cause.resolvedAt !== Infinity) add(cause.resolvedAt, 'its promise resolves')
    if (cause.ackedAt !== Infinity) add(cause.ackedAt, 'it is acknowledged')
  } else {
    add(
      cause.invokedAt,
      `${cause.replica} renders ${cause.unit} to replace what is stored; it is at version ${needed}`,
    )
    add(cause.ackedAt, 'it is stored')
  }
  for (const [path, unit, v, gen] of answer.items) {
    const made = checker.generation(gen)
    if (made === undefined || !(item.path === path || item.path.startsWith(`${path}>`))) continue
    add(made.askedAt, `${made.replica} generates ${unit} (${gen}), for request ${made.request}`)
    if (made.readAt !== undefined) add(made.readAt, `the origin answers with version ${v} (${gen})`)
  }
  for (const { kind, from, to } of checker.disturbancesOf(
    response.replica,
    cause.invokedAt - 3_000,
    response.endedAt,
  )) {
    add(from, `${response.replica}: ${kind} begins`)
    if (to < Infinity && to <= response.endedAt) add(to, `${response.replica}: ${kind} ends`)
  }
  add(began, `request ${response.request} to ${response.replica} begins`)
  const life = answer.life === null ? '' : `, life ${answer.life} s`
  add(
    response.endedAt,
    `it is answered with version ${item.v} of ${item.path} (${item.gen}): ${answer.unit} ${answer.status}${life}`,
  )
  if (response.said?.length > 0) add(response.endedAt, `  the runtime said: ${response.said.join('; ')}`)
  for (const { what, at: time } of checker.losses) {
    if (time >= cause.invokedAt - 3_000 && time <= response.endedAt) add(time, `lost: ${what}`)
  }
  events.sort((a, b) => a.time - b.time)
  const title = `${rule}: ${item.path} shows version ${item.v}, not ${needed}, ${Math.round(lateMs)} ms too late`
  return [title, ...events.map(({ time, text }) => `  ${at(time)}  ${text}`)].join('\n')
}
