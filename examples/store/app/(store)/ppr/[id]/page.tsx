import { cacheLife, cacheTag } from 'next/cache'
import { notFound } from 'next/navigation'
import { connection } from 'next/server'
import { Suspense } from 'react'
import { contentTag, PRERENDERED_IDS } from '@/lib/content'
import { factsOf, replicaName, type Facts } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { queryContent } from '@/lib/query-content'

export function generateStaticParams() {
  return PRERENDERED_IDS.map((id) => ({ id }))
}

async function product(id: string): Promise<Facts | null> {
  'use cache'
  cacheLife('hours')
  cacheTag(contentTag(id))
  const content = await queryContent(id, 'ppr')
  return content && factsOf('ppr', content)
}

async function Visitor() {
  await connection()
  return (
    <p>
      This part was made for this request by <code data-visitor={replicaName()}>{replicaName()}</code>.
    </p>
  )
}

/** A shell that is kept, with a hole that every request fills: the stored page is postponed. */
export default async function PprPage({ params }: { params: Promise<{ id: string }> }) {
  const facts = await product((await params).id)
  if (!facts) notFound()
  return (
    <>
      <FactsCard facts={facts} />
      <Suspense fallback={<p>Loading</p>}>
        <Visitor />
      </Suspense>
    </>
  )
}
