import type { NextConfig } from 'next'
import { DistributedCacheError } from '../src/errors'

/** What Next passes to a config that is a function. */
export interface ConfigContext {
  defaultConfig: NextConfig
}

/** A config that is a function; it may be asynchronous. */
export type NextConfigFunction<
  Result extends NextConfig | Promise<NextConfig> = NextConfig | Promise<NextConfig>,
> = (phase: string, context: ConfigContext) => Result

export type AnyNextConfig = NextConfig | Promise<NextConfig> | NextConfigFunction

/** @param nextPhase the phase, known only to a config that is a function */
export type Transform = (config: NextConfig, nextPhase: string | undefined) => NextConfig

function isPromise(value: unknown): value is Promise<NextConfig> {
  return typeof (value as { then?: unknown } | null)?.then === 'function'
}

function transformResult(
  result: unknown,
  nextPhase: string | undefined,
  transform: Transform,
): NextConfig | Promise<NextConfig> {
  if (isPromise(result)) return result.then((config) => transformResult(config, nextPhase, transform))
  if (typeof result !== 'object' || result === null || Array.isArray(result))
    throw new DistributedCacheError(
      'INVALID_CONFIG',
      `The Next.js config is ${result === null ? 'null' : Array.isArray(result) ? 'an array' : `of type ${typeof result}`}. Pass withDistributedCache an object, or a function or promise of one.`,
    )
  return transform(result as NextConfig, nextPhase)
}

/** Applies a transformation in the shape that the config has: other wrappers expect to find it again. */
export function inSameShape(config: AnyNextConfig, transform: Transform): AnyNextConfig {
  if (typeof config !== 'function') return transformResult(config, undefined, transform)
  return (phase, context) => transformResult(config(phase, context), phase, transform)
}
