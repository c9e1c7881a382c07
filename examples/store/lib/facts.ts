import type { Content } from './content'

/** What a page says about itself, for people and for tests. */
export interface Facts {
  /** Which part of which route speaks; also the `reader` in the origin's counts. */
  reader: string
  id: string
  version: number
  serial: number
  name: string
  price: number
  /** Random for every execution: equal ids mean one and the same render, read from a cache. */
  render: string
  /** The replica that executed the render. */
  replica: string
}

export function factsOf(reader: string, content: Content): Facts {
  return { reader, ...content, render: crypto.randomUUID().slice(0, 8), replica: replicaName() }
}

/** During the build no replica has a name. */
export function replicaName(): string {
  return process.env.REPLICA ?? 'build'
}
