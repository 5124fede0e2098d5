/** Names that people remember from Effect 3, and where they are now. */
const moved: Readonly<Record<string, string>> = {
  fork: "Effect.forkChild",
  forkDaemon: "Effect.forkDetach",
  makeSemaphore: "Semaphore.make",
  catchAll: "Effect.catch",
  catchAllCause: "Effect.catchCause",
  catchAllDefect: "Effect.catchDefect",
  async: "Effect.callback",
  either: "Effect.result",
  timeoutFail: "Effect.timeoutOrElse",
  timeoutTo: "Effect.timeoutOrElse",
  zipRight: "Effect.andThen",
  locally: "Effect.provideService",
  unsafeMake: "makeUnsafe",
  intersect: "Schedule.max",
  union: "Schedule.min",
  extend: "Scope.provide",
  GenericTag: "Context.Service",
  Tag: "Context.Service"
}

/** A sentence for who calls a function by its old name. */
export const movedHint = (message: string): string | undefined => {
  const name = /\.(\w+)\)? is not a function/.exec(message)?.[1]
  const now = name !== undefined && Object.hasOwn(moved, name) ? moved[name] : undefined
  return now === undefined ? undefined : `In Effect 4 it is \`${now}\`.`
}
