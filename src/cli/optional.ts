/** Loads what only one command needs, and says which package to install where it is not there. */
import { Effect, Schema } from "effect"

/**
 * A command needs a package that is not installed.
 *
 * @category errors
 * @since 0.1.0
 */
export class PackageNotInstalled extends Schema.TaggedError<PackageNotInstalled>()("PackageNotInstalled", {
  name: Schema.String
}) {
  override get message(): string {
    return `The package ${this.name} is not installed: run \`npm install --save-dev ${this.name}\`.`
  }
}

/** The package that Node did not find, or `undefined` for every other error. */
const missingPackage = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND"
    ? /Cannot find package '((?:@[^/']+\/)?[^/']+)/.exec(error.message)?.[1]
    : undefined

/**
 * Imports a module when it is needed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const load = <A>(module: () => Promise<A>): Effect.Effect<A, PackageNotInstalled> =>
  Effect.promise(module).pipe(
    Effect.catchDefect((error) => {
      const name = missingPackage(error)
      return name === undefined ? Effect.die(error) : Effect.fail(new PackageNotInstalled({ name }))
    })
  )
