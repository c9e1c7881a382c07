import { cacheLife, cacheTag } from 'next/cache'
import type { ReactNode } from 'react'
import { factsOf, type Facts } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { queryContent } from '@/lib/query-content'

async function readCategory(category: string): Promise<Facts | null> {
  'use cache'
  cacheLife('hours')
  cacheTag(`category:${category}`)
  const content = await queryContent(category, 'category-layout')
  return content && factsOf('category-layout', content)
}

export default async function CategoryLayout({
  children,
  params,
}: {
  children: ReactNode
  params: Promise<{ category: string }>
}) {
  const facts = await readCategory((await params).category)
  return (
    <>
      {facts && <FactsCard facts={facts} />}
      {children}
    </>
  )
}
