import { revalidatePathAction, revalidateTagAction, updateTagAction } from './actions'

/** Plain forms: without JavaScript in the browser Next answers the post with the page rendered anew. */
export function ActionForms({ tag, path }: { tag: string; path: string }) {
  return (
    <>
      <form action={updateTagAction} data-action="updateTag">
        <input name="tag" defaultValue={tag} />
        <button>updateTag</button>
      </form>
      <form action={revalidateTagAction} data-action="revalidateTag">
        <input name="tag" defaultValue={tag} />
        <input name="profile" defaultValue="max" />
        <button>revalidateTag</button>
      </form>
      <form action={revalidatePathAction} data-action="revalidatePath">
        <input name="path" defaultValue={path} />
        <button>revalidatePath</button>
      </form>
    </>
  )
}
