/**
 * What the gateway adds to a request, beside nginx with one worker in the same run: the same upstream, connections kept on
 * both sides, no access log. At a pace that leaves all of them idle most of the time, and as fast as they can. The ratio is
 * that of the whole latencies, since what nginx adds can be less than what the machine adds by chance.
 */
import { Effect, Schedule, type Scope } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Row } from "../Suite.ts"
import { interleaved, median } from "../Suite.ts"
import { host, questions } from "./app.ts"
import type { Open, Outcome } from "./load.ts"
import {
  answered,
  compare,
  connections,
  machinery,
  millis,
  printed,
  quick,
  rate,
  rounds,
  started,
  time
} from "./measure.ts"
import type { Process } from "./processes.ts"

/** Where packages put it, which is not on everybody's path. */
const env = { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/usr/local/sbin` }
const version = /nginx\/(\S+)/.exec(spawnSync("nginx", ["-v"], { encoding: "utf8", env }).stderr ?? "")?.[1]

const perSecond = 300

const configuration = (folder: string, port: number, upstream: number) => `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log error;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  upstream notes { server ${host}:${upstream}; keepalive 64; keepalive_requests 1000000; }
  server {
    listen ${host}:${port};
    add_header X-Request-ID $request_id always;
    location / {
      proxy_pass http://notes;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Request-ID $request_id;
    }
  }
}
`

const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, host, () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" ? address?.port ?? 0 : 0)))
  })
})

/** Nginx refuses to run its workers as root in a folder of root's, so everything belongs to nobody then. */
const nobody = 65_534
const isRoot = process.getuid?.() === 0

const nginx = (upstream: number): Effect.Effect<Door, never, Scope.Scope> =>
  Effect.gen(function*() {
    const port = yield* freePort
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "lc-nginx-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    )
    writeFileSync(join(folder, "nginx.conf"), configuration(folder, port, upstream))
    if (isRoot) chownSync(folder, nobody, nobody)
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn("nginx", ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", join(folder, "error.log")], {
          stdio: ["ignore", "ignore", "inherit"],
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
    yield* Effect.suspend(() => existsSync(join(folder, "nginx.pid")) ? Effect.void : Effect.fail("not yet")).pipe(
      Effect.retry({ times: 500, schedule: Schedule.spaced("10 millis") }),
      Effect.orDie
    )
    return { port, cpu: Effect.sync(() => microsOf(child.pid ?? 0)) }
  })

interface Door {
  readonly port: number
  readonly cpu: Effect.Effect<number>
}

/** Processor time of nginx and its workers so far, in hundredths of a second made microseconds. */
const microsOf = (master: number): number => {
  let ticks = 0
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const text = readFileSync(`/proc/${pid}/stat`, "utf8")
      // After the name in brackets: state, parent, and from the twelfth on the times in user and system mode.
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ").map(Number)
      if (Number(pid) === master || fields[1] === master) ticks += (fields[11] ?? 0) + (fields[12] ?? 0)
    } catch {
      // It has ended meanwhile.
    }
  }
  return ticks * 10_000
}

export const rows = (load: Process) =>
  Effect.gen(function*() {
    const upstream = yield* started(machinery.subject, "plain")
    const doors: Record<string, Door> = {
      direct: upstream,
      gateway: yield* started(machinery.subject, "gateway", String(upstream.port)),
      ...(version === undefined ? {} : { nginx: yield* nginx(upstream.port) })
    }
    // First, so that the slow pace finds them all at their best.
    const figures = yield* compare(load, "get", doors, { connections, ...(quick ? {} : { rounds: 3 }) })
    const kept = new Map<string, Array<Outcome>>()
    const paced = (name: string, port: number) =>
      Effect.gen(function*() {
        const question: Open = { perSecond, millis, mix: [{ ...questions.get, host, port, share: 1 }] }
        const [outcome] = yield* load.ask<ReadonlyArray<Outcome>>("open", question)
        if (outcome === undefined) return 0
        yield* answered(name, outcome)
        kept.set(name, [...kept.get(name) ?? [], outcome])
        return outcome.p50
      })
    yield* interleaved(
      Object.fromEntries(Object.entries(doors).map(([name, { port }]) => [name, paced(name, port)])),
      rounds
    )
    const of = (name: string, key: "p50" | "p99") =>
      median((kept.get(name) ?? []).slice(1).map((outcome) => outcome[key]))
    const added = (key: "p50" | "p99"): Row => {
      const [ours, theirs] = [of("gateway", key) - of("direct", key), of("nginx", key) - of("direct", key)]
      return printed({
        name: `gateway, latency added at ${key}, ${perSecond} req/s`,
        ours: time(ours),
        peers: {
          ...(version === undefined ? { nginx: "is not installed" } : { [`nginx ${version}`]: time(theirs) }),
          "(direct takes": `${time(of("direct", key))})`
        },
        ratio: version === undefined ? 0 : of("gateway", key) / of("nginx", key)
      })
    }
    const { gateway, direct } = figures
    const rows: ReadonlyArray<Row> = [
      added("p50"),
      added("p99"),
      printed({
        name: "gateway, as fast as it can",
        ours: rate(gateway!),
        peers: {
          ...(version === undefined
            ? { nginx: "is not installed" }
            : { [`nginx ${version}`]: rate(figures["nginx"]!) }),
          "no door": rate(direct!)
        },
        ratio: figures["nginx"] === undefined ? 0 : gateway!.perSecond / figures["nginx"].perSecond
      })
    ]
    return rows
  }).pipe(Effect.scoped)
