// A page as applications have it, for what depends on how it compresses: markup with utility classes, text of many words, and
// the data of the same content for the client. Always the same bytes.

const CLASSES =
  'flex items-center gap-4 rounded-lg border-gray-200 bg-white p-6 shadow-sm hover:shadow-md md:grid-cols-3 text-sm font-medium tracking-tight text-gray-900 dark:text-gray-100'.split(
    ' ',
  )
const SYLLABLES = 'ka lo mi ren to sa vel dor ni pa che gu fra ti on ber al is um qua de lin er po st'.split(
  ' ',
)
const WORDS = 400

export function productPage(bytes) {
  const next = randomNumbers(7)
  const pick = (list) => list[next() % list.length]
  const words = Array.from({ length: WORDS }, () =>
    Array.from({ length: 1 + (next() % 3) }, () => pick(SYLLABLES)).join(''),
  )
  // A few words make up most of a text.
  const word = () => words[Math.min(next() % WORDS, next() % WORDS, next() % WORDS)]
  const text = (count) => Array.from({ length: count }, word).join(' ')
  const classes = () => Array.from({ length: 3 + (next() % 5) }, () => pick(CLASSES)).join(' ')
  const html = []
  const data = []
  let length = 0
  for (let id = 0; length < bytes; id++) {
    const product = { id: next(), slug: text(3).replaceAll(' ', '-'), title: text(5), about: text(40) }
    const look = classes()
    html.push(
      `<article class="${look}"><a href="/products/${product.slug}-${product.id}"><img src="/_next/image?url=%2Fp%2F${product.id}.jpg&amp;w=640&amp;q=75" alt="${product.title}"/></a><h3 class="${classes()}">${product.title}</h3><p>${product.about}</p></article>`,
    )
    data.push(`["$","article","${id}",${JSON.stringify({ className: look, product })}]`)
    length += html.at(-1).length + data.at(-1).length
  }
  const half = Math.floor(bytes / 2)
  return { html: filled(html, half), data: filled(data, bytes - half) }
}

/** A linear congruence in 32 bits: its low bits repeat early, and are left out. */
function randomNumbers(seed) {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 8
  }
}

/** Exactly so many characters of ASCII. */
function filled(parts, length) {
  let text = parts.join('\n')
  while (text.length < length) text += text
  return text.slice(0, length)
}
