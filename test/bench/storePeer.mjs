/** One measurement of a peer, in a process of its own: `node storePeer.mjs '{"subject":"pg","row":"append",...}'`. */
import { randomUUID } from "node:crypto"
import { createRequire } from "node:module"
import { answer, backlog, batchLength, callers, config, meter, payload, streamLength } from "./storeLoad.ts"

const require = createRequire(new URL("./peers/", import.meta.url))
const { connectionString, row, subject } = config

/** postgres.js takes the folder of a unix socket from the environment only. */
const address = new URL(connectionString)
const folder = address.searchParams.get("host")
if (folder !== null) Object.assign(process.env, { PGHOST: folder, PGUSER: address.username })
const forPostgresJs = folder === null ? connectionString : `postgresql://${address.pathname}`

const events = (length, make) => Array.from({ length }, (_, index) => make(index))

/** Calls of `each` per second by concurrent callers, after a warm-up. */
const perSecond = async (each, per) => {
  let calls = 0
  const run = { on: true }
  const caller = async (index) => {
    for (let n = 0; run.on; n++) {
      await each(index, n)
      calls++
    }
  }
  const running = Promise.all(Array.from({ length: callers }, (_, index) => caller(index)))
  const pause = (millis) => new Promise((resolve) => setTimeout(resolve, millis))
  await pause(600)
  const from = calls
  const measured = meter()
  await pause(config.millis)
  const figure = measured(per * (calls - from))
  run.on = false
  await running
  return figure
}

/** What a subject can do: append so many events to a stream at a version, read one, and go through all there is. */
const subjects = {
  pg: () => {
    const { Pool } = require("pg")
    const pool = new Pool({ connectionString, max: 16 })
    const streams = new Map()
    const idOf = (stream) => {
      if (!streams.has(stream)) {
        streams.set(stream, BigInt(`0x${randomUUID().slice(0, 8)}`) * 1000n + BigInt(streams.size))
      }
      return streams.get(stream)
    }
    return {
      append: (stream, version, count) =>
        count === 1
          ? pool.query({
            name: "one",
            text: `insert into raw_events (stream_id, version, event_id, type, schema_version, data, meta, at)
              values ($1, $2, $3, $4, $5, $6, $7, now()) returning position`,
            values: [idOf(stream), version + 1, randomUUID(), "Added", 1, JSON.stringify(payload), "{}"]
          })
          : pool.query({
            name: "many",
            text: `insert into raw_events (stream_id, version, event_id, type, schema_version, data, meta, at)
              select $1, n.version, n.id, n.type, n.schema_version, n.data, n.meta, now()
              from unnest($2::bigint[], $3::uuid[], $4::text[], $5::int[], $6::json[], $7::json[])
                as n (version, id, type, schema_version, data, meta) returning position`,
            values: [
              idOf(stream),
              events(count, (i) => version + i + 1),
              events(count, () => randomUUID()),
              events(count, () => "Added"),
              events(count, () => 1),
              events(count, () => JSON.stringify(payload)),
              events(count, () => "{}")
            ]
          }),
      read: async (stream) => {
        const { rows } = await pool.query({
          name: "read",
          text: `select position, version, event_id, type, schema_version, data, meta, at from raw_events
            where stream_id = $1 order by version`,
          values: [idOf(stream)]
        })
        return rows.length
      },
      catchUp: async () => {
        let after = 0
        let seen = 0
        while (true) {
          const { rows } = await pool.query({
            name: "page",
            text: `select position, stream_id, version, event_id, type, schema_version, data, meta, at from raw_events
              where position > $1 order by position limit 1000`,
            values: [after]
          })
          seen += rows.length
          if (rows.length < 1000) return seen
          after = rows.at(-1).position
        }
      }
    }
  },
  emmett: () => {
    const { getPostgreSQLEventStore, postgreSQLEventStoreConsumer } = require("@event-driven-io/emmett-postgresql")
    const store = getPostgreSQLEventStore(connectionString)
    return {
      append: (stream, version, count) =>
        store.appendToStream(
          `Counter-${stream}`,
          events(count, () => ({ type: "Added", data: payload })),
          version === 0 ? {} : { expectedStreamVersion: BigInt(version) }
        ),
      read: async (stream) => (await store.readStream(`Counter-${stream}`)).events.length,
      catchUp: async () => {
        let seen = 0
        let done
        const ended = new Promise((resolve) => {
          done = resolve
        })
        const consumer = postgreSQLEventStoreConsumer({ connectionString, pulling: { batchSize: 1000 } })
        consumer.reactor({
          processorId: randomUUID(),
          eachMessage: () => {
            if (++seen === backlog) done()
          }
        })
        void consumer.start()
        await ended
        return seen
      }
    }
  },
  castore: () => {
    const { PostgresEventStorageAdapter } = require("@castore/event-storage-adapter-postgres")
    const adapter = new PostgresEventStorageAdapter({ connectionString: forPostgresJs })
    const eventStoreId = "Counter"
    const made = PostgresEventStorageAdapter.createEventTable({
      connectionString: forPostgresJs,
      aggregateId: { type: "VARCHAR", length: 64 }
    }).catch((error) => {
      if (error.code !== "42P07") throw error
    })
    const detail = (aggregateId, version) => ({ aggregateId, version, type: "Added", payload, metadata: {} })
    return {
      append: async (stream, version, count) => {
        await made
        return count === 1
          ? adapter.pushEvent(detail(stream, version + 1), { eventStoreId })
          : adapter.pushEventGroup(
            {},
            ...events(count, (i) => ({
              event: detail(stream, version + i + 1),
              context: { eventStoreId },
              eventStorageAdapter: adapter
            }))
          )
      },
      read: async (stream) => (await adapter.getEvents(stream, { eventStoreId })).events.length
    }
  }
}

const rows = {
  append: ({ append }) => {
    const streams = events(64, () => randomUUID())
    return perSecond((caller, n) => append(streams[caller], n, 1), 1)
  },
  batch: async ({ append }) => {
    const streams = events(64, () => randomUUID())
    return perSecond((caller, n) => append(streams[caller], n * batchLength, batchLength), batchLength)
  },
  read: async ({ append, read }) => {
    const stream = randomUUID()
    await append(stream, 0, streamLength)
    if (await read(stream) !== streamLength) throw new Error(`${subject} did not read what it wrote`)
    return perSecond(() => read(stream), streamLength)
  },
  fill: async ({ append }) => {
    const size = 500
    for (let n = 0; n < backlog / size; n++) await append(randomUUID(), 0, size)
    return backlog
  },
  catchUp: async ({ catchUp }) => {
    await catchUp()
    const measured = meter()
    const seen = await catchUp()
    if (seen !== backlog) throw new Error(`${subject} saw ${seen} of ${backlog} events`)
    return measured(seen)
  }
}

const quiet = console.log
console.log = () => {}
answer(await rows[row](subjects[subject]()))
console.log = quiet
