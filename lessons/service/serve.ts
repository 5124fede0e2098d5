/** Runs the three services behind the gateway, in one process or in several, until it is told to stop. */
import { Config, Effect, Schema, Scope } from "effect"
import { Database } from "effect-lifecycle/testing"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { poolSize, warning, whole } from "./connections.ts"
import { type Doors, openDoor, openDoors, services, type Targets } from "./gateway.ts"
import { type Addresses, launch } from "./launch.ts"
import * as Workers from "./workers.ts"

/** Users, orders and payments take three ports in a row. */
export class InvalidPort extends Schema.TaggedError<InvalidPort>()("InvalidPort", { given: Schema.String }) {
  override get message(): string {
    return `The port of users is "${this.given}", and orders and payments take the next two: ` +
      "set PORT or --port to a whole number from 1 to 65533, or to 0 for any free ports."
  }
}

export class WorkersNeedGateway extends Schema.TaggedError<WorkersNeedGateway>()("WorkersNeedGateway", {}) {
  override get message(): string {
    return "Several workers share the ports through the gateway: leave out --no-gateway or --workers."
  }
}

export interface Options {
  readonly json: boolean
  readonly port?: number | undefined
  /** How many processes run the services; this one alone when absent. */
  readonly workers?: number | undefined
  /** Whether there is a gateway in front; workers cannot do without. */
  readonly gateway?: boolean | undefined
}

/** What is printed with `--json`. */
export interface Served extends Addresses {
  readonly gateway?: { readonly http: string; readonly https: string; readonly certificate: string }
  /** The processes that run the services, where it is not this one, and where each answers for itself. */
  readonly workers?: ReadonlyArray<Workers.Worker>
  /** Addresses for `lifecycle store`, where the server is embedded. Its socket is this user's: there is no password. */
  readonly stores?: Addresses
}

export const serve = (options: Options) =>
  Effect.gen(function*() {
    const given = options.port ?? (yield* Config.String("PORT").pipe(Config.withDefault("4100")))
    const port = Number(given)
    if (!/^\d{1,5}$/.test(String(given)) || port > 65_533) return yield* new InvalidPort({ given: String(given) })
    const size = yield* poolSize
    const workers = options.workers === undefined ? undefined : yield* whole("--workers", options.workers, 64)
    if (workers !== undefined && options.gateway === false) return yield* new WorkersNeedGateway()
    return yield* Effect.gen(function*() {
      yield* warn({ processes: workers ?? 1, poolSize: size })
      const lines = heldBack()
      const around = { port, poolSize: size, log: lines.log }
      const answering: Served = workers === undefined
        ? yield* here({ ...around, gateway: options.gateway ?? true })
        : yield* inWorkers({ ...around, count: workers })
      const served: Served = { ...answering, ...yield* stores }
      console.log(options.json ? JSON.stringify(served) : inWords(served))
      lines.release()
      return yield* Effect.never
    }).pipe(
      Effect.scoped,
      Effect.provide(Database.layerServer({ dataDir: ".lifecycle/pg" }))
    )
  })

const stores = Effect.map(Database.Server, ({ embedded }): Pick<Served, "stores"> => {
  if (embedded === undefined) return {}
  const { path, username } = embedded.connection
  const of = (service: string) => `postgresql://${username}@localhost/lifecycle_${service}?host=${dirname(path)}`
  return { stores: { users: of("users"), orders: of("orders"), payments: of("payments") } }
})

/** The addresses are the first line; what the services write before it waits. */
const heldBack = () => {
  let early: Array<string> | undefined = []
  return {
    log: (line: string): void => early === undefined ? console.log(line) : void early.push(line),
    release: (): void => {
      const lines = early ?? []
      early = undefined
      for (const line of lines) console.log(line)
    }
  }
}

/** A server that cannot be asked will be reported by whoever needs it. */
const warn = (asked: { readonly processes: number; readonly poolSize: number }) =>
  Effect.gen(function*() {
    const { address } = yield* Database.Server
    const sentence = warning(asked, yield* Database.connectionLimit(address))
    if (sentence !== undefined) console.error(sentence)
  }).pipe(Effect.ignore)

interface Around {
  /** Of users. */
  readonly port: number
  readonly poolSize: number
  readonly log: (line: string) => void
}

const here = Effect.fnUntraced(function*({ gateway, log, poolSize, port }: Around & { readonly gateway: boolean }) {
  const leaving = { draining: false }
  const addresses = yield* launch({ port, keepData: true, poolSize, log, leaving })
  const leave = Effect.sync(() => void (leaving.draining = true))
  if (!gateway) {
    yield* Effect.addFinalizer(() => leave)
    return addresses satisfies Served
  }
  const doors = yield* openDoors({ targets: targetsOf([addresses]), port: port === 0 ? 0 : port + 3, log })
  // Added last, so it runs first: the doors would wait for the streams of open pages.
  yield* Effect.addFinalizer(() => leave)
  return { ...addresses, gateway: yield* shown(doors) } satisfies Served
})

const inWorkers = Effect.fnUntraced(function*({ count, log, poolSize, port }: Around & { readonly count: number }) {
  const workers = yield* Workers.make({ count, port, poolSize, log, note: (sentence) => console.error(sentence) })
  const first = yield* workers.running
  const at = (offset: number) => port === 0 ? 0 : port + offset
  const options = { targets: targetsOf(yield* answering(workers)), log }
  const side = yield* Scope.fork(yield* Effect.scope, "parallel")
  const { doors, orders, payments, users } = yield* Scope.provide(
    Effect.all({
      users: openDoor("users", { ...options, port: at(0) }),
      orders: openDoor("orders", { ...options, port: at(1) }),
      payments: openDoor("payments", { ...options, port: at(2) }),
      doors: openDoors({ ...options, port: at(3) })
    }),
    side
  )
  yield* Effect.addFinalizer(() => workers.leave)
  const follow = Effect.gen(function*() {
    yield* workers.changed
    const targets = targetsOf(yield* answering(workers))
    yield* Effect.forEach([users, orders, payments, doors], (door) => door.lead(targets), { discard: true })
  })
  yield* Effect.forkScoped(Effect.forever(follow))
  return {
    users: users.url,
    orders: orders.url,
    payments: payments.url,
    gateway: yield* shown(doors),
    workers: first
  } satisfies Served
})

/** At least one: while there is none, the gateway says of those that were last that they do not answer. */
const answering = (workers: Workers.Workers): Effect.Effect<readonly [Addresses, ...ReadonlyArray<Addresses>]> =>
  Effect.flatMap(workers.running, ([first, ...rest]) =>
    first === undefined
      ? Effect.andThen(workers.changed, answering(workers))
      : Effect.succeed([first.addresses, ...rest.map(({ addresses }) => addresses)] as const))

const targetsOf = ([first, ...rest]: readonly [Addresses, ...ReadonlyArray<Addresses>]): Targets => ({
  users: [first.users, ...rest.map(({ users }) => users)],
  orders: [first.orders, ...rest.map(({ orders }) => orders)],
  payments: [first.payments, ...rest.map(({ payments }) => payments)]
})

/** The certificate as a file that other programs can be told to trust. */
const shown = ({ certificate, http, https }: Doors) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const folder = mkdtempSync(join(tmpdir(), "lifecycle-certificate-"))
        writeFileSync(join(folder, "gateway.pem"), certificate)
        return folder
      }),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    ),
    (folder) => ({ http, https, certificate: join(folder, "gateway.pem") })
  )

const inWords = ({ gateway, orders, payments, stores, users, workers }: Served): string =>
  [
    `users    ${users}`,
    `orders   ${orders}`,
    `payments ${payments}`,
    ...gateway === undefined
      ? []
      : [
        `gateway  ${gateway.https}/api/users, ${gateway.http}/api/users and so on`,
        `         curl --cacert ${gateway.certificate} ...`
      ],
    ...workers === undefined ? [] : [
      ...workers.map(({ addresses, pid }) => `worker   ${services.map((name) => addresses[name]).join(" ")} (${pid})`),
      "         Each counts for itself: scrape /metrics of every worker, not of the addresses above"
    ],
    ...stores === undefined
      ? []
      : [`stores   npx lifecycle store verify --schema orders --url "${stores.orders}" and so on`],
    `Stop with Ctrl+C. Documentation of each service: /docs. The requests as they travel: ${users}/lifecycle`
  ].join("\n")
