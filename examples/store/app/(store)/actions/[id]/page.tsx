import { cacheLife, cacheTag } from 'next/cache'
import { connection } from 'next/server'
import { Suspense } from 'react'
import { ActionForms } from '@/lib/action-forms'
import { contentTag } from '@/lib/content'
import { factsOf, type Facts } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { queryContent } from '@/lib/query-content'

async function product(id: string): Promise<Facts | null> {
  'use cache'
  cacheLife('hours')
  cacheTag(contentTag(id))
  const content = await queryContent(id, 'actions')
  return content && factsOf('actions', content)
}

async function Product({ params }: { params: Promise<{ id: string }> }) {
  await connection()
  const { id } = await params
  const facts = await product(id)
  return (
    <main>
      {facts && <FactsCard facts={facts} />}
      <ActionForms tag={contentTag(id)} path={`/isr/${id}`} />
    </main>
  )
}

export default function ActionsPage({ params }: { params: Promise<{ id: string }> }) {
  return (
    <Suspense fallback={<p>Loading</p>}>
      <Product params={params} />
    </Suspense>
  )
}
