import { PRERENDERED_IDS } from '@/lib/content'

const SECTIONS = ['isr', 'timed', 'plain', 'fetch', 'memo', 'actions', 'legacy']

export default function Home() {
  return (
    <main>
      <h1>Store</h1>
      {SECTIONS.map((section) => (
        <p key={section}>
          {section}:{' '}
          {PRERENDERED_IDS.map((id) => (
            <a key={id} href={`/${section}/${id}`}>
              {id}{' '}
            </a>
          ))}
        </p>
      ))}
    </main>
  )
}
