import type { ReactNode } from 'react'
import { factsOf } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { fetchContent } from '@/lib/fetch-content'

export default async function CategoryLayout({
  children,
  params,
}: {
  children: ReactNode
  params: Promise<{ category: string }>
}) {
  const { category } = await params
  const content = await fetchContent(category, 'category-layout', {
    next: { tags: [`category:${category}`] },
  })
  return (
    <>
      {content && <FactsCard facts={factsOf('category-layout', content)} />}
      {children}
    </>
  )
}
