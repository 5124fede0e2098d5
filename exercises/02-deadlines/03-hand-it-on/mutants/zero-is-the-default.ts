// fails: c - "zero or nothing" is one case for `||`
import { Duration } from "effect"

export * from "../solution.ts"

export const granted = (value: string | undefined): Duration.Duration => {
  const seconds = Number(value) || 2
  return seconds >= 0 && seconds <= 3600 ? Duration.millis(seconds * 1000) : Duration.seconds(2)
}
