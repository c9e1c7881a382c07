/** The pages that are measured, which `bench/deployments` adds to the store. */
export const PAGES = [
  { name: 'warm page (ISR)', path: '/bench/warm', reader: 'bench', figure: 'opsPerSecond' },
  {
    name: 'page with use cache',
    path: '/bench-function/warm',
    reader: 'bench-function',
    figure: 'opsPerSecond',
  },
  { name: 'cold page', path: '/bench/cold', reader: 'bench', figure: 'ttfbMs' },
]
