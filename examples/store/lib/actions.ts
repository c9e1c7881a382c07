'use server'

import { revalidatePath, revalidateTag, updateTag } from 'next/cache'

function field(form: FormData, name: string): string {
  const value = form.get(name)
  if (typeof value !== 'string' || value === '') throw new Error(`The form has no field "${name}"`)
  return value
}

/** The author sees the change in the answer to this very request. */
export async function updateTagAction(form: FormData): Promise<void> {
  updateTag(field(form, 'tag'))
}

/** Readers get the old content once more while the new one is rendered. */
export async function revalidateTagAction(form: FormData): Promise<void> {
  revalidateTag(field(form, 'tag'), field(form, 'profile'))
}

export async function revalidatePathAction(form: FormData): Promise<void> {
  revalidatePath(field(form, 'path'))
}
