import { connection } from 'next/server'
import { ActionForms } from '@/lib/action-forms'
import { contentTag } from '@/lib/content'
import { factsOf } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { fetchContent } from '@/lib/fetch-content'

export default async function ActionsPage({ params }: { params: Promise<{ id: string }> }) {
  await connection()
  const { id } = await params
  const content = await fetchContent(id, 'actions', {
    cache: 'force-cache',
    next: { tags: [contentTag(id)] },
  })
  return (
    <main>
      {content && <FactsCard facts={factsOf('actions', content)} />}
      <ActionForms tag={contentTag(id)} path={`/isr/${id}`} />
    </main>
  )
}
