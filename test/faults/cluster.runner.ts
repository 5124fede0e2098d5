/** What the runners of a cluster and those who send to it have in common. */
import { NodeClusterSocket } from "@effect/platform-node"
import { Effect, Layer, Option } from "effect"
import { RunnerAddress, type ShardingConfig } from "effect/cluster"
import { AggregateEntity } from "effect-lifecycle/cluster"
import { Domain } from "effect-lifecycle/domain"
import * as PgStore from "effect-lifecycle/store/pg"
import * as Database from "effect-lifecycle/testing/Database"
import { createServer } from "node:net"
import { addHandler, Counter, depositHandler } from "../cluster/support.ts"

/** What a child process is told. */
export interface Told {
  readonly address: Database.Address
  readonly database: string
  readonly port: number
}

export const counters = AggregateEntity.make(Counter, { durable: ["counters.Deposit"] })

/** Short times, so that a cluster notices within a second or two what it would in a minute. */
const shardingConfig: Partial<ShardingConfig.ShardingConfig["Service"]> = {
  shardsPerGroup: 24,
  refreshAssignmentsInterval: "250 millis",
  shardLockRefreshInterval: "500 millis",
  shardLockExpiration: "2 seconds",
  runnerHealthCheckInterval: "500 millis",
  entityTerminationTimeout: "2 seconds",
  entityMessagePollInterval: "500 millis",
  entityReplyPollInterval: "100 millis",
  sendRetryInterval: "50 millis"
}

const addressOf = (port: number) => Option.some(RunnerAddress.RunnerAddress.make({ host: "127.0.0.1", port }))

export const database = ({ address, database }: Omit<Told, "port">, maxConnections: number) =>
  Database.layerAt(address, { name: database, client: { maxConnections } })

/** A runner that owns its share of the aggregates. */
export const runner = (told: Told) =>
  AggregateEntity.layer(counters).pipe(
    Layer.provide(Domain.toLayer([addHandler, depositHandler]).pipe(Layer.provide(PgStore.layer({ listen: false })))),
    Layer.provide(NodeClusterSocket.layer({
      storage: "sql",
      shardingConfig: { ...shardingConfig, runnerAddress: addressOf(told.port) }
    })),
    Layer.provide(database(told, 12))
  )

/** A process that only sends. */
export const sender = NodeClusterSocket.layer({
  storage: "sql",
  clientOnly: true,
  shardingConfig: { ...shardingConfig, runnerAddress: Option.none() }
})

export const freePort: Effect.Effect<number> = Effect.callback((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})
