/** How a command of `lifecycle store` ends when it does not end well: 1 something is wrong, 2 asked wrongly, 3 not possible. */
import { Runtime, Schema } from "effect"

/**
 * What was looked at is not as it should be.
 *
 * @category errors
 * @since 0.1.0
 */
export class StoreFault extends Schema.TaggedError<StoreFault>()("StoreFault", { problem: Schema.String }) {
  override readonly [Runtime.errorExitCode] = 1
  override get message(): string {
    return this.problem
  }
}

/**
 * The command line asks for something that makes no sense.
 *
 * @category errors
 * @since 0.1.0
 */
export class StoreAsked extends Schema.TaggedError<StoreAsked>()("StoreAsked", { problem: Schema.String }) {
  override readonly [Runtime.errorExitCode] = 2
  override get message(): string {
    return this.problem
  }
}

/**
 * It cannot be done, here or now.
 *
 * @category errors
 * @since 0.1.0
 */
export class StoreCannot extends Schema.TaggedError<StoreCannot>()("StoreCannot", { problem: Schema.String }) {
  override readonly [Runtime.errorExitCode] = 3
  override get message(): string {
    return this.problem
  }
}

/** The errors of the library, by how a command ends. */
const codes: Readonly<Record<string, typeof StoreFault | typeof StoreAsked | typeof StoreCannot>> = {
  InvalidExport: StoreFault,
  SubscriptionPaused: StoreFault,
  InvalidOption: StoreAsked
}

/** What a command ends with when the library fails with `error`. */
export const ending = (
  error: { readonly _tag: string; readonly message: string }
): StoreFault | StoreAsked | StoreCannot => {
  if (error instanceof StoreFault || error instanceof StoreAsked || error instanceof StoreCannot) return error
  return new (codes[error._tag] ?? StoreCannot)({ problem: error.message })
}
