import { ratioOf, summarize } from '../lib/statistics.mjs'

/** How many times as long as with the smallest, and between what the repetitions lie. */
export function grown(samples, smallest) {
  const [own, least] = [samples, smallest].map((list) => list.map(({ p50Ms }) => p50Ms))
  const growth = ratioOf(own, least)
  return { growth, median: { ...summarize(samples), growth: growth?.ratio } }
}
