// Marks of our own on the bus: messages keep their order, so that whoever hears his mark has heard all before it.
const AGAIN_MS = 100
const MARK = 'mark '

export function createBusMarks() {
  const waiting = new Map()
  let client
  let channel
  let marks = 0

  return {
    /** The same client; the runtime does not see marks. */
    watch(given) {
      client = given
      const { subscribe } = given
      given.subscribe = (name, onMessage, onLive) => {
        channel = name
        return subscribe.call(
          given,
          name,
          (payload) => {
            const text = payload.toString('latin1')
            if (text.startsWith(MARK)) waiting.get(text)?.()
            else onMessage(payload)
          },
          onLive,
        )
      }
      return given
    },
    /** At once where nothing was ever subscribed to. */
    async heard() {
      if (channel === undefined) return
      for (let isHeard = false; !isHeard;) {
        const mark = `${MARK}${process.pid} ${marks++}`
        isHeard = await new Promise((resolve) => {
          // The subscription may not be live yet.
          const timer = setTimeout(() => resolve(false), AGAIN_MS)
          waiting.set(mark, () => {
            clearTimeout(timer)
            resolve(true)
          })
          client.send([{ key: channel, args: ['PUBLISH', channel, mark] }]).catch(() => {})
        })
        waiting.delete(mark)
      }
    },
  }
}
