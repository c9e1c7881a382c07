import { market } from 'next/root-params'
import type { ReactNode } from 'react'

export function generateStaticParams() {
  return [{ market: 'at' }]
}

/** A root layout of its own: `market` is a root parameter. */
export default async function MarketLayout({ children }: { children: ReactNode }) {
  return (
    <html lang="en" data-market={await market()}>
      <body>{children}</body>
    </html>
  )
}
