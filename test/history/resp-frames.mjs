// Cuts a stream of Redis replies into whole ones, so that one of them can be taken out.

/** Returns a function that takes chunks and returns the replies that are complete by now. */
export function createFrameSplitter() {
  let pending = Buffer.alloc(0)
  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    const frames = []
    for (let end = endOfReply(pending, 0); end !== undefined; end = endOfReply(pending, 0)) {
      frames.push(pending.subarray(0, end))
      pending = pending.subarray(end)
    }
    return frames
  }
}

/** Where the reply that starts at `at` ends; undefined: it is not complete. RESP2 and RESP3. */
function endOfReply(bytes, at) {
  const lineEnd = bytes.indexOf('\r\n', at)
  if (at >= bytes.length || lineEnd === -1) return undefined
  const number = Number(bytes.toString('latin1', at + 1, lineEnd))
  let next = lineEnd + 2
  switch (String.fromCharCode(bytes[at])) {
    case '$':
    case '=':
    case '!':
      if (number < 0) return next
      next += number + 2
      return next <= bytes.length ? next : undefined
    case '*':
    case '~':
    case '>':
      return endOfItems(bytes, next, number)
    case '%':
    case '|':
      return endOfItems(bytes, next, number * 2)
    default:
      return next
  }
}

function endOfItems(bytes, at, count) {
  for (let left = count; left > 0 && at !== undefined; left--) at = endOfReply(bytes, at)
  return at
}

/** The first word of what was published, when the reply is a message of a channel. */
export function messageKind(frame) {
  const head = frame.toString('latin1', 0, 24)
  if (!/^[*>]3\r\n\$7\r\nmessage\r\n/.test(head)) return undefined
  const text = frame.toString('latin1')
  const payload = text.slice(text.lastIndexOf('\r\n', text.length - 3) + 2, -2)
  return /^[a-z]+/.exec(payload)?.[0]
}
