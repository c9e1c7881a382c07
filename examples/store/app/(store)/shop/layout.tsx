import { cacheLife, cacheTag } from 'next/cache'
import type { ReactNode } from 'react'
import { factsOf, type Facts } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { queryContent } from '@/lib/query-content'

async function shop(): Promise<Facts | null> {
  'use cache'
  cacheLife('hours')
  cacheTag('shop')
  const content = await queryContent('shop', 'shop-layout')
  return content && factsOf('shop-layout', content)
}

export default async function ShopLayout({ children }: { children: ReactNode }) {
  const facts = await shop()
  return (
    <main>
      {facts && <FactsCard facts={facts} />}
      {children}
    </main>
  )
}
