export const predictions = {
  // The first one named is outermost, wherever the route stands.
  global: "A> B> handler <B <A",
  globalLater: "B> A> handler <A <B",
  // `provide` wraps what is there: the last one is outermost.
  provided: "B> A> handler <A <B",
  // A list is one `provide`: the first one is outermost.
  listed: "A> B> handler <B <A",
  // A needs what B gives, so B comes first.
  combined: "B> A> handler <A <B",
  // What stands after `yield* next` is skipped by a failure, `onExit` is not.
  failing: "A> handler",
  guarded: "A> handler <A",
  stack: "RequestIds limitByAddress Authentication limitByUser"
}
