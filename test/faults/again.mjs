/** How often a fault that a healthy runtime mends is made again. */
const AGAIN_MS = 300

/** Now, and again until it is ended; the attempt under way is waited for. */
export async function again(action) {
  await action()
  let ended = false
  let wake
  const loop = (async () => {
    while (!ended) {
      await new Promise((resolve) => {
        wake = resolve
        setTimeout(resolve, AGAIN_MS)
      })
      if (!ended) await action()
    }
  })()
  // Whoever ends the fault hears of it.
  loop.catch(() => {})
  return async () => {
    ended = true
    wake?.()
    await loop
  }
}
