/** What stands in front of the application: our gateway, and a real nginx with a configuration made for the row. */
import { Effect, Schedule, type Scope } from "effect"
import { Gateway, GatewayConfig } from "effect-lifecycle/gateway"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Logs } from "effect-lifecycle/observability"
import { spawn, spawnSync } from "node:child_process"
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Place } from "./client.ts"

export type DoorName = "gateway" | "nginx"

export interface Door {
  readonly place: Place
  /** One JSON line for each request. */
  readonly access: () => ReadonlyArray<string>
  /** What went wrong, in nginx's words; our gateway says it in its access line. */
  readonly errors: () => ReadonlyArray<string>
}

/** What a row changes in the gateway's configuration. */
export interface GatewayOptions {
  readonly upstream?: object
  readonly limits?: object
  readonly timeouts?: object
  readonly prefix?: string
}

export const gateway = (
  targets: ReadonlyArray<number>,
  { limits, prefix, timeouts, upstream }: GatewayOptions
): Effect.Effect<Door, never, Scope.Scope> =>
  Effect.gen(function*() {
    const lines: Array<string> = []
    const config = yield* GatewayConfig.decode({
      listen: { port: 0 },
      name: "door",
      upstreams: {
        application: { targets: targets.map((port) => `http://127.0.0.1:${port}`), ...upstream }
      },
      routes: [{ prefix: prefix ?? "/", upstream: "application" }],
      timeouts: { drain: "10 millis", answer: "2 seconds", ...timeouts },
      limits: { bodyBytes: 1_048_576, ...limits }
    })
    const { port } = yield* Gateway.make(config).pipe(
      Recorder.recordTo(Logs.recorder({ service: "gateway", sink: (line) => void lines.push(line) }))
    )
    return { place: { port }, access: () => lines, errors: () => [] }
  }).pipe(Effect.orDie)

/** What a row changes in nginx's configuration: lines in the place that is named. */
export interface NginxOptions {
  readonly http?: string
  readonly server?: string
  /** In the location that leads to the application. */
  readonly location?: string
  /** In place of that location. */
  readonly instead?: string
}

/** Where packages put it, which is not on everybody's path. */
const env = { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/usr/local/sbin` }

export const nginxVersion: string | undefined = /nginx\/(\S+)/.exec(
  spawnSync("nginx", ["-v"], { encoding: "utf8", env }).stderr ?? ""
)?.[1]

const configuration = (folder: string, targets: ReadonlyArray<number>, options: NginxOptions): string => `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log info;
events { worker_connections 128; }
http {
  log_format line escape=json '{"request_id":"$request_id","method":"$request_method","path":"$uri","status":"$status"}';
  access_log ${folder}/access.log line;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  server_tokens off;
  upstream application {
    ${targets.map((port) => `server 127.0.0.1:${port};`).join(" ")}
    keepalive 32;
  }
  ${options.http ?? ""}
  server {
    listen unix:${folder}/door.sock;
    server_name localhost;
    root ${folder}/www;
    # One id for each request: on every answer, also on nginx's own, and in both logs.
    add_header X-Request-ID $request_id always;
    ${options.server ?? ""}
    ${
  options.instead ?? `location / {
      proxy_pass http://application;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Request-ID $request_id;
      proxy_hide_header X-Request-ID;
      proxy_connect_timeout 1s;
      ${options.location ?? ""}
    }`
}
  }
}
`

/** Nginx refuses to run its workers as root in a folder of root's, so everything belongs to nobody then. */
const nobody = 65_534
const isRoot = process.getuid?.() === 0

const linesOf = (file: string): ReadonlyArray<string> =>
  existsSync(file) ? readFileSync(file, "utf8").split("\n").filter((line) => line !== "") : []

export const nginx = (
  targets: ReadonlyArray<number>,
  options: NginxOptions
): Effect.Effect<Door, never, Scope.Scope> =>
  Effect.gen(function*() {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "lc-nginx-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    )
    mkdirSync(join(folder, "www"))
    writeFileSync(join(folder, "www", "terms.txt"), "a file of the proxy's own\n")
    writeFileSync(join(folder, "nginx.conf"), configuration(folder, targets, options))
    if (isRoot) { for (const name of ["", "www"]) chownSync(join(folder, name), nobody, nobody) }
    const error = join(folder, "error.log")
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn("nginx", ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", error], {
          stdio: "ignore",
          env,
          ...(isRoot ? { uid: nobody, gid: nobody } : {})
        })
      ),
      (child) =>
        Effect.callback<void>((resume) => {
          if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
          child.once("exit", () => resume(Effect.void))
          child.kill("SIGTERM")
        })
    )
    const path = join(folder, "door.sock")
    yield* Effect.suspend(() =>
      child.exitCode !== null
        ? Effect.die(new Error(`nginx did not start:\n${linesOf(error).join("\n")}`))
        : existsSync(path) && existsSync(join(folder, "nginx.pid"))
        ? Effect.void
        : Effect.fail("not yet")
    ).pipe(Effect.retry({ times: 500, schedule: Schedule.spaced("10 millis") }), Effect.orDie)
    return { place: { path }, access: () => linesOf(join(folder, "access.log")), errors: () => linesOf(error) }
  })
