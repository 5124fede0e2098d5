import { assert, describe, layer } from "@effect/vitest"
import { type Duration, Effect, Exit, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { database, once, patient } from "../../sql.ts"
import { check, expectSuccess } from "../../support.ts"
import { receive, record, relay } from "./exercise.ts"
import { createTables, type Line, makeLine, type Message, type Reserved, Unreachable, unsent } from "./tables.ts"

const reserved = (show: string, version: number, seats = 1): Reserved => ({ show, version, seats })
const short = ({ show, version }: Reserved) => `${show} ${version}`

/** What we have stored, what is still to be sent, and what the hall has. */
const look = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const events = yield* sql<Reserved>`select * from events order by show, version`
  const taken = yield* sql<{ show: string; seats: number }>`select * from taken order by show`
  return {
    events: events.map(short),
    waiting: (yield* unsent).map(short),
    taken: taken.map(({ seats, show }) => `${show}: ${seats}`)
  }
})

/** A line that writes down what it did; `how` may refuse, or take its time. */
const hall = (how: (message: Message) => Effect.Effect<void, Unreachable> = () => Effect.void) =>
  Effect.gen(function*() {
    const begun: Array<string> = []
    const arrived: Array<string> = []
    const line = yield* makeLine((message) =>
      Effect.suspend(() => {
        begun.push(short(message))
        return Effect.tap(how(message), () => {
          arrived.push(short(message))
          return Effect.void
        })
      })
    )
    return { begun, arrived, line }
  })

/** A line whose bell is lost. */
const deaf = (line: Line): Line => ({ ...line, ring: Effect.void, heard: Effect.never })

/** Ends when it is so; fails with the sentence when it does not become so, or when the relay is gone. */
type Until = (isSo: () => boolean, sentence: string) => Effect.Effect<void>

const whileRelayRuns = <A, E, R>(line: Line, poll: Duration.Input, use: (until: Until) => Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const running = yield* Effect.forkChild(relay(line, poll), { startImmediately: true })
    const until: Until = (isSo, sentence) =>
      Effect.gen(function*() {
        for (let waited = 0; !isSo(); waited += 20) {
          const ended = running.pollUnsafe()
          check(
            ended === undefined,
            `${sentence} Seen: the relay has ${ended?._tag === "Failure" ? "failed" : "ended"}; it has to go on.`
          )
          check(waited < 2000, `${sentence} Seen: not after ${waited / 1000} seconds.`)
          yield* Effect.sleep("20 millis")
        }
      })
    return yield* Effect.ensuring(use(until), Fiber.interrupt(running))
  })

/** Records, where only the relay has a way to the hall. */
const mustRecord = (line: Line, ...events: Array<Reserved>) =>
  Effect.map(
    Effect.exit(record({ ...line, send: () => Effect.void }, events)),
    (exit) => expectSuccess(exit, "Events in order can be recorded.")
  )

layer(database, once)((it) => {
  describe("a: events are stored, and a message is counted", patient, () => {
    it.effect("two events and a message", () =>
      Effect.gen(function*() {
        yield* createTables
        const { line } = yield* hall()
        yield* mustRecord(line, reserved("hamlet", 1), reserved("macbeth", 1))
        const exit = yield* Effect.exit(receive({ ...reserved("othello", 1, 4), id: 1 }))
        expectSuccess(exit, "The hall has room for four seats.")
        const { events, taken } = yield* look
        assert.deepEqual(events, ["hamlet 1", "macbeth 1"], "What is recorded is stored.")
        assert.deepEqual(taken, ["othello: 4"], "What is received is counted.")
      }))
  })

  describe("b: there is a message exactly where there is an event", patient, () => {
    const rings = Effect.gen(function*() {
      const { line } = yield* hall()
      const counted = { rings: 0, line: { ...line, ring: Effect.sync(() => void counted.rings++) } }
      return counted
    })

    it.effect("what is stored", () =>
      Effect.gen(function*() {
        yield* createTables
        const counted = yield* rings
        yield* mustRecord(counted.line, reserved("hamlet", 1), reserved("macbeth", 1), reserved("hamlet", 2))
        const { waiting } = yield* look
        assert.deepEqual(waiting, ["hamlet 1", "macbeth 1", "hamlet 2"], "Each event has a message in the outbox.")
        check(counted.rings > 0, "After the commit the bell rings.")
      }))

    it.effect("the event is refused", () =>
      Effect.gen(function*() {
        yield* createTables
        const counted = yield* rings
        yield* mustRecord(counted.line, reserved("hamlet", 1))
        counted.rings = 0
        const exit = yield* Effect.exit(record(counted.line, [reserved("macbeth", 1), reserved("hamlet", 1)]))
        check(Exit.isFailure(exit), "The second event is there already, so recording must fail.")
        const { events, waiting } = yield* look
        assert.deepEqual(events, ["hamlet 1"], "One event was refused, so none of them is kept.")
        assert.deepEqual(waiting, ["hamlet 1"], "One event was refused, so there is no message about any of them.")
        assert.strictEqual(counted.rings, 0, "Nothing was committed, so the bell stays silent.")
      }))

    it.effect("the message is refused", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* createTables
        yield* sql`alter table outbox add check (seats < 50)`
        const counted = yield* rings
        const exit = yield* Effect.exit(record(counted.line, [reserved("hamlet", 1), reserved("hamlet", 2, 60)]))
        check(Exit.isFailure(exit), "The outbox refuses the second message, so recording must fail.")
        const { events, waiting } = yield* look
        assert.deepEqual(events, [], "A message cannot be written, so the events are not kept.")
        assert.deepEqual(waiting, [], "The events are not kept, so there is no message about them.")
        assert.strictEqual(counted.rings, 0, "Nothing was committed, so the bell stays silent.")
      }))

    it.effect("in the transaction of somebody else", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* createTables
        const counted = yield* rings
        let early = 0
        const inside = (more: Effect.Effect<void, string>) =>
          Effect.exit(sql.withTransaction(Effect.gen(function*() {
            yield* record(counted.line, [reserved("hamlet", 1)])
            early += counted.rings
            yield* more
          })))
        yield* inside(Effect.fail("the plug was pulled"))
        assert.strictEqual(counted.rings, 0, "The outer transaction was rolled back, so the bell stays silent.")
        assert.deepEqual((yield* look).waiting, [], "The outer transaction was rolled back, and the message with it.")
        expectSuccess(yield* inside(Effect.void), "Events in order can be recorded.")
        assert.strictEqual(early, 0, "While the outer transaction is open, the bell has to wait.")
        check(counted.rings > 0, "After the outer commit the bell rings.")
      }))
  })

  describe("c: it is sent at once after the commit, and never without one", patient, () => {
    it.effect("rolled back", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* createTables
        const { begun, line } = yield* hall()
        yield* whileRelayRuns(line, "20 millis", (until) =>
          Effect.gen(function*() {
            let meanwhile: Array<string> = []
            yield* Effect.exit(sql.withTransaction(Effect.gen(function*() {
              yield* record(line, [reserved("hamlet", 1)])
              yield* Effect.sleep("80 millis")
              meanwhile = [...begun]
              return yield* Effect.fail("the plug was pulled")
            })))
            assert.deepEqual(meanwhile, [], "The transaction is still open, so nothing may be sent.")
            yield* Effect.sleep("60 millis")
            assert.deepEqual(begun, [], "The transaction was rolled back, so nothing may be sent.")
            yield* mustRecord(line, reserved("macbeth", 1))
            yield* until(() => begun.includes("macbeth 1"), "What was committed has to be sent.")
            yield* Effect.sleep("60 millis")
            assert.deepEqual(begun, ["macbeth 1"], "What was committed is sent once, and what was not is never sent.")
          }))
      }))

    it.effect("the bell wakes the relay", () =>
      Effect.gen(function*() {
        yield* createTables
        const { arrived, line } = yield* hall(() => Effect.sleep("60 millis"))
        yield* whileRelayRuns(line, "1 hour", (until) =>
          Effect.gen(function*() {
            yield* Effect.sleep("60 millis")
            yield* mustRecord(line, reserved("hamlet", 1))
            yield* Effect.sleep("30 millis")
            yield* mustRecord(line, reserved("hamlet", 2))
            yield* until(
              () => arrived.includes("hamlet 1"),
              "The bell has rung, so the relay does not wait for the poll."
            )
            yield* until(
              () => arrived.includes("hamlet 2"),
              "The bell rang while the relay was busy, so it looks again."
            )
          }))
      }))
  })

  describe("d: when the bell is lost, the poll finds it", patient, () => {
    it.effect("a bell that nobody hears", () =>
      Effect.gen(function*() {
        yield* createTables
        const { arrived, line } = yield* hall()
        yield* mustRecord(deaf(line), reserved("hamlet", 1))
        yield* whileRelayRuns(deaf(line), "50 millis", (until) =>
          Effect.gen(function*() {
            yield* until(() => arrived.includes("hamlet 1"), "What waits from before the start has to be sent.")
            for (const version of [2, 3]) {
              yield* mustRecord(deaf(line), reserved("hamlet", version))
              yield* until(
                () => arrived.includes(`hamlet ${version}`),
                "The bell was lost, so the relay has to look by itself, every time."
              )
            }
          }))
      }))
  })

  describe("e: after a crash between sending and marking everything is sent", patient, () => {
    it.effect("a crash", () =>
      Effect.gen(function*() {
        yield* createTables
        let down = true
        // The message goes out, and the process stops before it hears that it did.
        const { arrived, begun, line } = yield* hall(({ version }) =>
          down && version === 2 ? Effect.never : Effect.void
        )
        yield* mustRecord(line, reserved("hamlet", 1), reserved("hamlet", 2), reserved("hamlet", 3))
        yield* whileRelayRuns(
          line,
          "50 millis",
          (until) => until(() => begun.includes("hamlet 2"), "Three messages wait, so the second one is sent as well.")
        )
        check((yield* look).waiting.includes("hamlet 2"), "Whether it arrived is not known, so it is not marked yet.")
        down = false
        yield* whileRelayRuns(line, "50 millis", (until) =>
          until(
            () => arrived.includes("hamlet 2") && arrived.includes("hamlet 3"),
            "The relay stopped between sending and marking, so the next one sends again."
          ))
      }))

    it.effect("what is marked stays marked", () =>
      Effect.gen(function*() {
        yield* createTables
        const { arrived, begun, line } = yield* hall()
        yield* mustRecord(line, reserved("hamlet", 1), reserved("hamlet", 2))
        yield* whileRelayRuns(line, "20 millis", (until) =>
          Effect.andThen(
            until(() => arrived.length >= 2, "Two messages wait, so both are sent."),
            Effect.sleep("60 millis")
          ))
        assert.deepEqual((yield* look).waiting, [], "What was sent is marked.")
        yield* whileRelayRuns(line, "20 millis", () => Effect.sleep("60 millis"))
        assert.deepEqual(begun, ["hamlet 1", "hamlet 2"], "Without a crash each message is sent once.")
      }))
  })

  describe("f: the messages of a show stay in order", patient, () => {
    it.effect("one of them takes its time", () =>
      Effect.gen(function*() {
        yield* createTables
        const { arrived, line } = yield* hall(({ version }) => Effect.sleep(version === 1 ? 150 : version * 30))
        yield* mustRecord(line, reserved("hamlet", 1), reserved("hamlet", 2), reserved("hamlet", 3))
        yield* whileRelayRuns(
          line,
          "50 millis",
          (until) => until(() => arrived.length >= 3, "Three messages wait, so three arrive.")
        )
        assert.deepEqual(arrived, ["hamlet 1", "hamlet 2", "hamlet 3"], "A slow message is not overtaken by the next.")
      }))

    it.effect("one of them is refused twice", () =>
      Effect.gen(function*() {
        yield* createTables
        let refusals = 0
        const { arrived, line } = yield* hall(({ version }) =>
          version === 2 && refusals++ < 2 ? Effect.fail(new Unreachable()) : Effect.void
        )
        yield* mustRecord(line, reserved("hamlet", 1), reserved("hamlet", 2), reserved("hamlet", 3))
        yield* whileRelayRuns(
          line,
          "50 millis",
          (until) => until(() => arrived.length >= 3, "The second message is tried again, so three arrive.")
        )
        assert.deepEqual(
          arrived,
          ["hamlet 1", "hamlet 2", "hamlet 3"],
          "A message that was refused is not overtaken by the next."
        )
      }))
  })

  describe("g: the relay survives a receiver that fails", patient, () => {
    const ways = [["fails", Effect.fail(new Unreachable())], ["dies", Effect.die(new Error("the hall burns"))]] as const
    for (const [name, way] of ways) {
      it.effect(`a receiver that ${name}`, () =>
        Effect.gen(function*() {
          yield* createTables
          let open = false
          const { arrived, begun, line } = yield* hall(({ show }) => show === "hamlet" && !open ? way : Effect.void)
          yield* mustRecord(line, reserved("hamlet", 1), reserved("macbeth", 1))
          yield* whileRelayRuns(line, "50 millis", (until) =>
            Effect.gen(function*() {
              yield* until(() => begun.includes("hamlet 1"), "Two messages wait, so the first one is tried.")
              yield* until(
                () => arrived.includes("macbeth 1"),
                "A message that cannot be sent holds back no other show."
              )
              yield* mustRecord(line, reserved("macbeth", 2))
              yield* until(
                () => arrived.includes("macbeth 2"),
                "A message that cannot be sent does not stop the relay."
              )
              open = true
              yield* until(() => arrived.includes("hamlet 1"), "A message that could not be sent is tried again.")
            }))
        }))
    }
  })

  describe("h: a message that comes twice is handled once", patient, () => {
    const message: Message = { ...reserved("hamlet", 1, 60), id: 7 }

    it.effect("again", () =>
      Effect.gen(function*() {
        yield* createTables
        for (const id of [7, 7, 8, 7]) {
          const exit = yield* Effect.exit(receive({ ...message, seats: 10, id }))
          expectSuccess(exit, "A message that comes again is not a failure.")
        }
        assert.deepEqual(
          (yield* look).taken,
          ["hamlet: 20"],
          "Two messages of ten seats came, one of them three times."
        )
      }))

    it.effect("five times at the same moment", () =>
      Effect.gen(function*() {
        yield* createTables
        const five = Array.from({ length: 5 }, () => receive({ ...message, seats: 10 }))
        yield* Effect.forEach(five, Effect.exit, { concurrency: "unbounded" })
        assert.deepEqual((yield* look).taken, ["hamlet: 10"], "A message that comes five times at once counts once.")
      }))

    it.effect("handling fails", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* createTables
        yield* receive(message)
        const late = { ...message, id: 8 }
        check(Exit.isFailure(yield* Effect.exit(receive(late))), "The hall has no room for 120 seats, so it must fail.")
        yield* sql`update taken set seats = 0`
        expectSuccess(yield* Effect.exit(receive(late)), "Now there is room.")
        assert.deepEqual(
          (yield* look).taken,
          ["hamlet: 60"],
          "Handling failed, so when the message comes again it counts."
        )
      }))

    it.effect("it cannot be written down", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* createTables
        yield* sql`alter table handled add check (id < 0)`
        check(Exit.isFailure(yield* Effect.exit(receive(message))), "It cannot be written down, so it must fail.")
        assert.deepEqual((yield* look).taken, [], "It cannot be written down, so it is not counted.")
      }))
  })
})
