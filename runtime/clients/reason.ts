/** Why a connection failed, in a few words. An AggregateError (several addresses tried) has no message. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.message !== '') return error.message
  const { code } = error as NodeJS.ErrnoException
  return code ?? error.name
}
