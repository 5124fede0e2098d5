import { InvalidOption } from "effect-lifecycle/resilience"

/** Module and option that `make` is refused for, or what happened instead. */
export const optionOf = (make: () => unknown): readonly [string, string] | string => {
  try {
    make()
  } catch (error) {
    return error instanceof InvalidOption.InvalidOption ? [error.module, error.option] : `threw ${String(error)}`
  }
  return "was taken"
}
