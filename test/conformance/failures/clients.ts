/** Five clients that are sent to the same trouble, and what each has in its hands afterwards. */
import { NodeHttpClient } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { Probe } from "effect-lifecycle/client"
import type { Diagnosis } from "effect-lifecycle/lifecycle"
import { HttpClient, HttpClientRequest } from "effect/http"
import { execFile, spawnSync } from "node:child_process"
import * as http from "node:http"
import * as https from "node:https"
import type { ClientName, Target } from "./row.ts"

export interface Trouble {
  readonly code: string
  readonly evidence: Diagnosis.Evidence
}

export const hasCurl = spawnSync("curl", ["--version"]).status === 0

/** What an error says in public, as somebody would paste it: a code where it has one, else a name. */
const codeOf = (error: unknown): string => {
  if (typeof error !== "object" || error === null) return String(error)
  if ("code" in error && typeof error.code === "string") return error.code
  return "cause" in error ? codeOf(error.cause) : error.constructor.name
}

const evidenceOf = (error: unknown): Diagnosis.Evidence => {
  const { cause, code, errors, message, name, syscall } = error as NodeJS.ErrnoException & {
    readonly errors?: ReadonlyArray<unknown>
  }
  // Where an error is one of ours, its tag is all there is beside it.
  const tag = (error as { readonly _tag?: string })._tag
  return tag === undefined
    ? { _tag: "NodeError", code, message, name, cause, errors, syscall }
    : { _tag: "NodeError", cause: error }
}

const of = (error: unknown): Trouble => ({ code: codeOf(error), evidence: evidenceOf(error) })

const node = ({ headers, lookup, options, url }: Target, ca: string): Effect.Effect<Trouble> =>
  Effect.callback((resume) => {
    try {
      const { request } = url.startsWith("https") ? https : http
      const call = request(
        url,
        { agent: false, headers, ...options, ...(lookup && { lookup }), ca } as https.RequestOptions
      )
      const fail = (error: Error) => resume(Effect.succeed(of(error)))
      call.on("error", fail)
      call.on("response", (response) => response.on("error", fail).resume())
      call.end()
      return Effect.sync(() => call.destroy())
    } catch (error) {
      return resume(Effect.succeed(of(error)))
    }
  })

const viaFetch = ({ headers, url }: Target): Effect.Effect<Trouble> =>
  Effect.promise((signal) =>
    fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(500)]), headers: { ...headers } })
      .then((response) => response.text())
      .then(() => Promise.reject(new Error("an answer came")))
      .catch(of)
  )

const probe = ({ headers, url }: Target, ca: string): Effect.Effect<Trouble> =>
  Effect.map(Effect.flip(Probe.probe({ url, ca, headers, timeout: "500 millis" })), of).pipe(Effect.orDie)

const effect = ({ headers = {}, url }: Target, ca: string): Effect.Effect<Trouble> =>
  HttpClient.execute(HttpClientRequest.get(url, { headers })).pipe(
    Effect.flatMap((response) => response.text),
    Effect.flip,
    Effect.map((error): Trouble => ({ code: error.reason._tag, evidence: { _tag: "HttpClientError", error } })),
    Effect.orDie,
    Effect.provide(
      NodeHttpClient.layerNodeHttpNoAgent.pipe(Layer.provide(NodeHttpClient.layerAgentOptions({ ca })))
    )
  )

const curl = ({ url }: Target, caFile: string): Effect.Effect<Trouble> =>
  Effect.callback((resume) => {
    const args = ["-sS", "-o", "/dev/null", "--cacert", caFile, "--connect-timeout", "1", "--max-time", "2", url]
    const child = execFile("curl", args, (error, _, stderr) => {
      const exitCode = typeof error?.code === "number" ? error.code : 0
      resume(Effect.succeed({ code: `(${exitCode})`, evidence: { _tag: "Curl", text: stderr, exitCode } }))
    })
    return Effect.sync(() => child.kill())
  })

export const sendWith = (
  name: ClientName,
  target: Target,
  trust: { readonly pem: string; readonly file: string }
): Effect.Effect<Trouble> => {
  switch (name) {
    case "node":
      return node(target, trust.pem)
    case "fetch":
      return viaFetch(target)
    case "probe":
      return probe(target, trust.pem)
    case "effect":
      return effect(target, trust.pem)
    case "curl":
      return curl(target, trust.file)
  }
}
