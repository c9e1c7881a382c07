/** A function has feedback, and its caches learn, after about ten calls. */
const CALLS = 100

/**
 * Undoes what loading a driver does to the whole process; called where it was just loaded. Whoever says
 * `class X extends String`, as ioredis does, turns `String.prototype` into a dictionary, and V8 turns it back only
 * when it looks up a property of an object through it, which text never is. Until then no compiled loop over
 * texts of more than one kind knows its `charCodeAt`: Next.js takes an ETag of each page that way, character by
 * character, five times as long. It is not lost again.
 */
export function keepStringsFast(): void {
  const text = Object('') as string
  for (let call = 0; call < CALLS; call++) charCodeAtOf(text)
}

function charCodeAtOf(text: string): unknown {
  return text.charCodeAt
}
