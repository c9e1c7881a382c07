// Bar charts as SVG, readable on a light and on a dark page, without a library.

const WIDTH = 860
const LABEL = 330
const BAR = 20
const GAP = 6
const COLOURS = { ours: '#1a7f5a', peer: '#9a6700', stock: '#57606a', limit: '#0969da', contract: '#0969da' }

export function escapeXml(text) {
  return String(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

/**
 * @param {{ title: string, note?: string, unit: string,
 *   bars: { label: string, value: number, low?: number, high?: number, kind: string }[] }} chart
 * @returns {string} the SVG
 */
export function barChart({ title, note = '', unit, bars }) {
  const space = WIDTH - LABEL - 130
  const largest = Math.max(...bars.flatMap(({ value, high = value }) => [value, high]), Number.MIN_VALUE)
  const x = (value) => (value / largest) * space
  const height = 64 + bars.length * (BAR + GAP)
  const rows = bars.map(({ label, value, low, high, kind }, index) => {
    const y = 50 + index * (BAR + GAP)
    const spread =
      low === undefined || high === undefined
        ? ''
        : `<line x1="${round(LABEL + x(low))}" x2="${round(LABEL + x(high))}" y1="${y + BAR / 2}" y2="${y + BAR / 2}" stroke="#8c959f" stroke-width="3"/>`
    return [
      `<text x="${LABEL - 8}" y="${y + 14}" text-anchor="end">${escapeXml(label)}</text>`,
      `<rect x="${LABEL}" y="${y}" width="${round(Math.max(1, x(value)))}" height="${BAR}" rx="2" fill="${COLOURS[kind] ?? COLOURS.stock}"/>`,
      spread,
      `<text x="${round(LABEL + Math.max(x(value), x(high ?? 0)) + 8)}" y="${y + 14}">${escapeXml(shortNumber(value))} ${escapeXml(unit)}</text>`,
    ].join('')
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeXml(title)}">`,
    '<style>text{font:13px system-ui,sans-serif;fill:#57606a}.title{font-weight:600;font-size:15px;fill:#1f2328}@media(prefers-color-scheme:dark){text{fill:#9198a1}.title{fill:#f0f6fc}}</style>',
    `<text class="title" x="8" y="20">${escapeXml(title)}</text>`,
    `<text x="8" y="38">${escapeXml(note)}</text>`,
    ...rows,
    '</svg>',
    '',
  ].join('\n')
}

const round = (value) => Math.round(value * 10) / 10

export function shortNumber(value) {
  if (value >= 100) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(3)))
}

/** A row of a result as a chart; undefined when it has fewer than two bars. */
export function chartOfRow({ name, figure, subjects }, machine, units) {
  const bars = Object.entries(subjects).flatMap(([label, { kind, samples, failed }]) => {
    const values = (samples ?? []).map((sample) => sample[figure]).filter(Number.isFinite)
    if (failed || values.length === 0) return []
    values.sort((a, b) => a - b)
    const value = subjects[label].median[figure]
    return [{ label, value, low: values[0], high: values.at(-1), kind }]
  })
  if (bars.length < 2) return undefined
  const note = `${machine.processor}, ${machine.cores} cores, Node.js ${machine.node}, Redis ${machine.redis}, Next.js ${machine.next}`
  return barChart({ title: name, note, unit: units[figure] ?? '', bars })
}
