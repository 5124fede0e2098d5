/** What must not compile: a stage that needs the user, before authentication. */
import { Authentication, type ServerStack, ServerStage } from "effect-lifecycle/server"

const needsUser = ServerStage.make<Authentication.CurrentUser>({
  name: "needs the user",
  reports: "Security",
  wrap: (next) => Authentication.CurrentUser.use(() => next)
})

export const right: ServerStack.Options = { service: "orders", limitByUser: needsUser }

// @ts-expect-error nobody is known where the address is counted
export const wrong: ServerStack.Options = { service: "orders", limitByAddress: needsUser }
