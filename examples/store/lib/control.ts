import { draftMode } from 'next/headers'
import { revalidatePath, revalidateTag } from 'next/cache'

/** What POST /api/control accepts: the invalidations that a webhook of a content system would send. */
export type ControlRequest =
  | { action: 'revalidateTag'; tag: string; profile?: string | { expire?: number } }
  | { action: 'revalidatePath'; path: string; type?: 'page' | 'layout' }
  | { action: 'draft'; enable: boolean }

export async function control(request: ControlRequest): Promise<void> {
  switch (request.action) {
    case 'revalidateTag':
      return revalidateTag(request.tag, request.profile ?? { expire: 0 })
    case 'revalidatePath':
      return revalidatePath(request.path, request.type)
    case 'draft': {
      const draft = await draftMode()
      return request.enable ? draft.enable() : draft.disable()
    }
    default:
      throw new Error(`Unknown action in ${JSON.stringify(request)}`)
  }
}
