import { it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Database, EmbeddedPostgres } from "effect-lifecycle/testing"
import { renameSync, readdirSync, readlinkSync, readFileSync, existsSync } from "node:fs"
import { call, launched, register } from "../service/harness.ts"
const ownServer = Layer.effect(
  Database.Server,
  Effect.map(EmbeddedPostgres.make(), (embedded) => ({ address: embedded.connection, description: "x", embedded }))
)
const procs = (data: string) => readdirSync("/proc").filter((p) => /^\d+$/.test(p)).flatMap((p) => {
  try { return readlinkSync(`/proc/${p}/cwd`).startsWith(data) ? [`${p} ${readFileSync(`/proc/${p}/cmdline`, "utf8").slice(0, 60).replaceAll("\0", " ")}`] : [] } catch { return [] }
})
for (let n = 0; n < 6; n++)
it.live("x" + n, () => Effect.gen(function*() {
  const userId = yield* register
  yield* Effect.forEach(Array(20), () => call("users", `/users/${userId}`), { concurrency: "unbounded" })
  const { embedded } = yield* Database.Server
  const data = embedded!.directory
  const old = yield* embedded!.pid
  process.kill(old, "SIGKILL")
  renameSync(data, `${data}.away`)
  const t = performance.now()
  const out: string[] = []
  for (let i = 0; i < 25; i++) {
    const a = yield* Effect.forEach(Array(20), () => call("users", `/users/${userId}`), { concurrency: "unbounded" })
    const s = a.map((x) => x.status)
    out.push(`${(performance.now() - t).toFixed(0)} ${s.filter((x) => x === 200).length} ok; exists ${existsSync(data)} pid ${(yield* embedded!.pid) === old} r ${yield* embedded!.restarts} procs ${procs(data).length} ${s.includes(200) ? procs(data).join("|") : ""}`)
    yield* Effect.sleep(10)
  }
  console.log(out.join("\n"))
  renameSync(`${data}.away`, data)
}).pipe(Effect.provide(Layer.provideMerge(launched, ownServer))), 60000)
