/** A listener that throws must not stop the others, nor unwind into a driver's socket handler. */
export function guarded(call: () => void): void {
  try {
    call()
  } catch (error) {
    // Its owner has a bug and should hear of it, but a cache must not take the server down.
    process.emitWarning(error instanceof Error ? error : String(error))
  }
}
