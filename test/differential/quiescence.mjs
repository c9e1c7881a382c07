// Waits until nothing is outstanding: no request, no background refresh, no write on its way to Redis.
// Two samples of every process, with a round trip to Redis between them, must find nobody busy and nothing
// begun in between: then nothing is left that could change what the next request sees.
import { until } from '../../scripts/lib/processes.mjs'

const LIMIT_MS = 60_000

/**
 * @param {string[]} probes URLs of the probes of all processes
 * @param {() => Promise<unknown>} barrier resolves once what was sent to Redis before was answered
 */
export async function untilQuiet(probes, barrier) {
  let last
  await until(
    async () => {
      const first = await sampleAll(probes)
      last = first.flatMap(({ busy }) => busy)
      if (last.length > 0) return false
      await barrier()
      await new Promise((resolve) => setTimeout(resolve, 5))
      const second = await sampleAll(probes)
      last = second.flatMap(({ busy }) => busy)
      return last.length === 0 && second.every(({ begun }, index) => begun === first[index].begun)
    },
    { what: 'the servers to become quiet', limitMs: LIMIT_MS, everyMs: 5 },
  ).catch((error) => {
    throw new Error(
      `${error.message}; still busy with ${last?.join(', ') || 'something that keeps beginning'}`,
    )
  })
}

async function sampleAll(probes) {
  return Promise.all(probes.map(async (url) => (await fetch(url)).json()))
}
