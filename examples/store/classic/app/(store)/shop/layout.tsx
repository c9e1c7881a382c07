import type { ReactNode } from 'react'
import { factsOf } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { fetchContent } from '@/lib/fetch-content'

export default async function ShopLayout({ children }: { children: ReactNode }) {
  const content = await fetchContent('shop', 'shop-layout', { next: { tags: ['shop'] } })
  return (
    <main>
      {content && <FactsCard facts={factsOf('shop-layout', content)} />}
      {children}
    </main>
  )
}
