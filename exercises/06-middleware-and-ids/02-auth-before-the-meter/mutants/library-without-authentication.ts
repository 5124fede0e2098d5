// fails: e - fills the right slot, and puts an authentication that recognises everybody in the place of the library's
import { Effect } from "effect"
import { Authentication, ServerStage } from "effect-lifecycle/server"
import { stages as right } from "../solution.ts"

export { app } from "../solution.ts"

export const stages = {
  ...right,
  authentication: ServerStage.make<never, Authentication.CurrentUser>({
    name: "believer",
    reports: "Security",
    wrap: (next) => Effect.provideService(next, Authentication.CurrentUser, { id: "alice" })
  })
}
