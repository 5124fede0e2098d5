// fails: c - takes a header that cannot be read for a caller who does not care
import { Duration } from "effect"

export * from "../solution.ts"

export const granted = (value: string | undefined): Duration.Duration => {
  const seconds = Number.parseFloat(value ?? "")
  return seconds >= 0 ? Duration.millis(seconds * 1000) : Duration.infinity
}
