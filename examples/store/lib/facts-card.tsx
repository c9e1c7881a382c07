import type { Facts } from './facts'

/**
 * Shows facts twice: as text, and as JSON in the markup, where a test finds them with a regular
 * expression and without a browser.
 */
export function FactsCard({ facts }: { facts: Facts }) {
  return (
    <section>
      <h2>{facts.name}</h2>
      <p>
        Price {facts.price}, version {facts.version}. Rendered by <code>{facts.replica}</code> as{' '}
        <code>{facts.render}</code> for <code>{facts.reader}</code>.
      </p>
      <script
        type="application/json"
        data-facts={facts.reader}
        dangerouslySetInnerHTML={{ __html: JSON.stringify(facts).replaceAll('<', '\\u003c') }}
      />
    </section>
  )
}
