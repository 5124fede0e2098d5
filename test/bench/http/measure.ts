/** How a server is asked, and what is kept of the answers. */
import { Context, Effect, Layer } from "effect"
import { HttpServer } from "effect/http"
import type { Row } from "../Suite.ts"
import { interleaved, median } from "../Suite.ts"
import { host, type Kind, questions } from "./app.ts"
import type { Closed, Outcome } from "./load.ts"
import * as Processes from "./processes.ts"
import type { Process } from "./processes.ts"

/** `BENCH_QUICK=1` goes through everything once, to see that it runs; its figures mean nothing. */
export const quick = process.env["BENCH_QUICK"] === "1"
export const rounds = quick ? 1 : 5
export const millis = quick ? 250 : 1200
export const connections = 16
/** Requests before the first figure: the compiler of Node is at work for about as long. */
const warmUp = quick ? 100 : 20_000
const warmUpMillis = 4000

export const machinery = { load: "./load.ts", subject: "./subject.ts", peer: "./peer.mjs" } as const

/** The port of a server in this process. */
export const portOf = <E, R>(layer: Layer.Layer<HttpServer.HttpServer, E, R>) =>
  Effect.map(Layer.build(Layer.fresh(layer)), (context) => {
    const { address } = Context.get(context, HttpServer.HttpServer)
    return "port" in address ? address.port : 0
  })

/** A server as the load sees it, and what tells the processor time of its process in microseconds. */
export interface Subject {
  readonly port: number
  readonly cpu: Effect.Effect<number>
}

/** Medians of the rounds. */
export interface Figure {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  /** Processor time of one request, in microseconds. */
  readonly cpu: number
}

/** A server in a process of its own. */
export const started = (script: string, ...args: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const process = yield* Processes.start(script, ...args)
    return { process, port: yield* process.ask<number>("port"), cpu: process.ask<number>("cpu") }
  })

const none: Figure = { perSecond: 0, p50: 0, p99: 0, cpu: 0 }

/** What went wrong is no figure. */
export const answered = (name: string, { requests, statuses }: Outcome): Effect.Effect<number> => {
  const good = (statuses[200] ?? 0) + (statuses[201] ?? 0) + (statuses[204] ?? 0)
  return good === requests && good > 0
    ? Effect.succeed(good)
    : Effect.die(new Error(`${name}: not every request was answered well: ${JSON.stringify(statuses)}`))
}

/** Asks every subject the same, in turns. */
export const compare = <Name extends string>(
  load: Process,
  kind: Kind,
  subjects: Readonly<Record<Name, Subject>>,
  options: { readonly connections?: number; readonly rounds?: number; readonly millis?: number } = {}
): Effect.Effect<Readonly<Record<Name, Figure>>, unknown> =>
  Effect.gen(function*() {
    const names = Object.keys(subjects) as Array<Name>
    const kept = new Map<Name, Array<Figure>>(names.map((name) => [name, []]))
    const ask = (name: Name) =>
      Effect.gen(function*() {
        const { cpu, port } = subjects[name]
        const question: Closed = {
          ...questions[kind],
          host,
          port,
          connections: options.connections ?? connections,
          millis: options.millis ?? millis
        }
        const before = yield* cpu
        const outcome = yield* load.ask<Outcome>("closed", question)
        const after = yield* cpu
        const good = yield* answered(`${name} ${kind}`, outcome)
        kept.get(name)?.push({ ...outcome, cpu: (after - before) / good })
        return outcome.perSecond
      })
    for (const name of names) {
      const { port } = subjects[name]
      const question = { ...questions[kind], host, port, connections: options.connections ?? connections, millis: 250 }
      let requests = 0
      for (let spent = 0; requests < warmUp && spent < warmUpMillis; spent += question.millis) {
        requests += yield* answered(`${name} ${kind}`, yield* load.ask<Outcome>("closed", question satisfies Closed))
      }
    }
    yield* interleaved(
      Object.fromEntries(names.map((name) => [name, ask(name)])) as Record<Name, Effect.Effect<number>>,
      options.rounds ?? rounds
    )
    return Object.fromEntries(
      names.map((name) => {
        const [_warmUp, ...figures] = kept.get(name) ?? []
        const of = (key: keyof Figure) => figures.length === 0 ? none[key] : median(figures.map((each) => each[key]))
        return [name, { perSecond: of("perSecond"), p50: of("p50"), p99: of("p99"), cpu: of("cpu") }]
      })
    ) as Record<Name, Figure>
  })

export const whole = (value: number): string => Math.round(value).toLocaleString("en")
export const rate = ({ cpu, perSecond }: Figure): string => `${whole(perSecond)} req/s (${cpu.toFixed(0)} us)`
export const time = (value: number): string => `${value.toFixed(2)} ms`

/** The row of a figure that has no goal. */
export const printed = (row: Omit<Row, "goal" | "met">): Row => ({ ...row, goal: "printed", met: true })
