/** What a dynamic consistency boundary promises over every store; each layer runs the same suite. */
import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Effect, Exit, type Layer, Option, Schedule, Stream } from "effect"
import {
  DynamicConsistencyBoundary as Dcb,
  EventStore,
  Subscription,
  Tenant,
  UnitOfWork
} from "effect-lifecycle/store"

export type Stores =
  | Dcb.DynamicConsistencyBoundary
  | EventStore.EventStore
  | Subscription.Subscriptions
  | UnitOfWork.UnitOfWork

const boundary = Dcb.DynamicConsistencyBoundary

let tags = 0
/** A tag nobody has used. */
export const fresh = (kind = "tag"): string => `${kind}:${++tags}`
const event = (type: string, ...tags: ReadonlyArray<string>): Dcb.NewTaggedEvent => ({ type, data: { type }, tags })
const append = (append: Dcb.Append) => boundary.use((all) => all.append(append))
const read = (query: Dcb.Query) => boundary.use((all) => all.read(query))
const typesOf = (query: Dcb.Query) => Effect.map(read(query), ({ events }) => events.map(({ type }) => type))

export const boundaryContract = <E>(title: string, layer: Layer.Layer<Stores, E>): void => {
  describe(title, () => {
    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("DynamicConsistencyBoundary", (it) => {
      it.effect("reads what matches one of the items: all its tags, and one of its types", () =>
        Effect.gen(function*() {
          const [a, b, c] = [fresh(), fresh(), fresh()]
          yield* append({ events: [event("One", a), event("Two", b, a, a), event("Three", b), event("Four")] })
          yield* append({ events: [event("One", b, c)] })
          const seen = yield* read([{ tags: [a] }])
          assert.deepStrictEqual(seen.events.map(({ tags, type }) => [type, ...tags]), [
            ["One", a],
            ["Two", ...[a, b].toSorted()]
          ])
          assert.deepStrictEqual(yield* typesOf([{ tags: [a, b] }]), ["Two"])
          assert.deepStrictEqual(yield* typesOf([{ tags: [b], types: ["Three", "One"] }]), ["Three", "One"])
          assert.deepStrictEqual(yield* typesOf([{ tags: [c] }, { tags: [a, b] }, { tags: [b, a] }]), ["Two", "One"])
          assert.deepStrictEqual(yield* typesOf([{ tags: [a], types: ["Three"] }]), [])
          assert.deepStrictEqual(yield* typesOf([{ tags: [fresh()] }]), [])
          assert.deepStrictEqual(yield* typesOf([{ tags: [a] }]).pipe(Tenant.within("another")), [])
        }))
      it.effect("refuses an append when an event matches that was not read, and says which", () =>
        Effect.gen(function*() {
          const [a, b] = [fresh(), fresh()]
          const query = [{ tags: [a] }, { tags: [b], types: ["Counted"] }]
          const first = yield* read(query)
          const condition = { query, after: first.after }
          // Neither matches: another tag, and another type of the second item.
          yield* append({ events: [event("Counted", fresh()), event("Ignored", b)] })
          const stored = yield* append({ events: [event("Counted", b)], condition })
          assert.strictEqual(stored._tag, "Appended")
          const position = stored._tag === "Appended" ? stored.position : 0n
          const refused = yield* append({ events: [event("Late", a)], condition })
          assert.deepStrictEqual(refused, { _tag: "ConditionFailed", position, type: "Counted" })
          assert.deepStrictEqual(yield* typesOf(query), ["Counted"])
          const second = yield* read(query)
          const again = yield* append({ events: [event("Late", a)], condition: { query, after: second.after } })
          assert.strictEqual(again._tag, "Appended")
          // Some of the items that were read are a condition as well.
          const part = yield* append({
            events: [event("More", a)],
            condition: { query: query.slice(1), after: second.after }
          })
          assert.strictEqual(part._tag, "Appended")
        }))
      it.effect("takes a condition without an after for: nothing at all may match", () =>
        Effect.gen(function*() {
          const name = fresh("username")
          const register = append({ events: [event("Registered", name)], condition: { query: [{ tags: [name] }] } })
          assert.strictEqual((yield* register)._tag, "Appended")
          assert.strictEqual((yield* register)._tag, "ConditionFailed")
          assert.strictEqual((yield* register.pipe(Tenant.within("another")))._tag, "Appended")
        }))
      it.effect("shows its events to streams, to readAll and to subscriptions", () =>
        Effect.gen(function*() {
          const tag = fresh()
          const store = yield* EventStore.EventStore
          const stream = { category: "Course", id: tag }
          yield* append({ events: [event("Named", tag), event("Renamed", tag)], stream })
          const own = yield* append({ events: [event("Alone", tag)] })
          const versions = yield* Stream.runCollect(store.read(stream))
          assert.deepStrictEqual(versions.map(({ type, version }) => [version, type]), [[1, "Named"], [2, "Renamed"]])
          const all = yield* Stream.runCollect(store.readAll({ types: ["Named", "Alone"] }))
          assert.includeMembers(all.map(({ stream }) => stream.category), ["Course", "Boundary"])
          const followed = yield* Subscription.Subscriptions.use((subscriptions) =>
            Stream.runCollect(subscriptions.events({ types: ["Alone"] }).pipe(Stream.take(1)))
          ).pipe(Effect.timeout("5 seconds"))
          assert.strictEqual(followed[0]?.position, own._tag === "Appended" ? own.position : 0n)
          // What goes through the store itself has no tags.
          yield* store.append({ stream, expect: 2, events: [{ type: "Untagged", data: {} }] })
          assert.deepStrictEqual(yield* typesOf([{ tags: [tag] }]), ["Named", "Renamed", "Alone"])
        }))
      it.effect("guards the version of its stream besides, when asked to", () =>
        Effect.gen(function*() {
          const tag = fresh()
          const stream = { category: "Course", id: tag }
          yield* append({ events: [event("Named", tag)], stream, expect: "noStream" })
          assert.deepStrictEqual(
            yield* append({ events: [event("Named", tag)], stream, expect: "noStream" }),
            { _tag: "Conflict", expected: "noStream", actual: 1 }
          )
          assert.deepStrictEqual(yield* typesOf([{ tags: [tag] }]), ["Named"])
        }))
      it.effect("happens once under a command id, or by the ids of its events, whatever has happened since", () =>
        Effect.gen(function*() {
          const tag = fresh()
          const condition = { query: [{ tags: [tag] }] }
          const command = { events: [event("Named", tag)], condition, commandId: `c-${tag}` }
          const first = yield* append(command)
          const second = yield* append(command)
          assert.deepStrictEqual(second, { ...first, replayed: true } as typeof second)
          const other = fresh()
          const id = `01890a5d-ac96-774b-bcce-${String(tags).padStart(12, "0")}`
          const withId = {
            events: [{ ...event("Named", other), id }],
            condition: { query: [{ tags: [other] }] }
          }
          const third = yield* append(withId)
          assert.deepStrictEqual(yield* append(withId), { ...third, replayed: true } as typeof third)
          assert.lengthOf((yield* read([{ tags: [tag] }, { tags: [other] }])).events, 2)
        }))
      it.effect("joins the open transaction, sees what it wrote, and is undone with it", () =>
        Effect.gen(function*() {
          const tag = fresh()
          const unit = yield* UnitOfWork.UnitOfWork
          const query = [{ tags: [tag] }]
          const inside = Effect.gen(function*() {
            yield* append({ events: [event("Named", tag)] })
            const { after, events } = yield* read(query)
            assert.lengthOf(events, 1)
            assert.strictEqual(
              (yield* append({ events: [event("A", tag)], condition: { query, after } }))._tag,
              "Appended"
            )
            const refused = yield* append({ events: [event("B", tag)], condition: { query, after } })
            assert.strictEqual(refused._tag, "ConditionFailed")
          })
          yield* Effect.flip(unit.run(Effect.andThen(inside, Effect.fail("no"))))
          assert.deepStrictEqual(yield* typesOf(query), [])
          yield* unit.run(inside)
          assert.deepStrictEqual(yield* typesOf(query), ["Named", "A"])
        }))
      it.effect("reads more than a page, and keeps its order", () =>
        Effect.gen(function*() {
          const [a, b] = [fresh(), fresh()]
          const events = Array.from({ length: 2300 }, (_, i) => ({ type: "N", data: i, tags: [i % 2 === 0 ? a : b] }))
          yield* append({ events })
          const seen = yield* read([{ tags: [a] }, { tags: [b] }])
          assert.deepStrictEqual(seen.events.map(({ data }) => data), events.map(({ data }) => data))
        }))
      it.effect("refuses a query without tags, and says what to do instead", () =>
        Effect.gen(function*() {
          const fieldOf = (self: Effect.Effect<unknown, { readonly _tag: string }, Dcb.DynamicConsistencyBoundary>) =>
            Effect.map(Effect.flip(self), (error) => error instanceof Dcb.InvalidBoundary ? error.field : error._tag)
          const failure = (query: Dcb.Query, after?: string) =>
            after === undefined
              ? fieldOf(read(query))
              : fieldOf(append({ events: [event("T")], condition: { query, after } }))
          assert.strictEqual(yield* failure([]), "query")
          assert.strictEqual(yield* failure([{ tags: [], types: ["T"] }]), "query[0].tags")
          assert.strictEqual(yield* failure([{ tags: ["a"], types: [] }]), "query[0].types")
          assert.strictEqual(yield* failure([{ tags: ["a", ""] }]), "query[0].tags[1]")
          assert.strictEqual(yield* failure([{ tags: ["\ud800"] }]), "query[0].tags[0]")
          assert.strictEqual(yield* failure([{ tags: ["a"] }], "not one"), "condition.after")
          const { after } = yield* read([{ tags: ["a"] }])
          assert.strictEqual(yield* failure([{ tags: ["b"] }], after), "condition.query[0]")
          const message = yield* Effect.flip(read([{ tags: [], types: ["T"] }]))
          assert.include(message.message, "give the events a tag")
          const none = yield* Effect.flip(append({ events: [] }))
          assert.strictEqual(none._tag, "InvalidAppend")
          const empty = yield* Effect.flip(append({ events: [event("T", "")] }))
          assert.strictEqual(empty._tag, "InvalidBoundary")
        }))
      it.effect("decides again when it is overtaken, and says so when that never ends", () =>
        Effect.gen(function*() {
          const tag = fresh()
          const query = [{ tags: [tag] }]
          let rounds = 0
          const overtaken = (times: number) =>
            Dcb.decide({
              query,
              retry: Schedule.recurs(2),
              decide: (events) =>
                Effect.gen(function*() {
                  if (rounds++ < times) yield* append({ events: [event("Meanwhile", tag)] })
                  return [{ ...event("Decided", tag), data: events.length }]
                })
            })
          const result = yield* overtaken(2)
          assert.isTrue(Option.isSome(result))
          assert.strictEqual((yield* read(query)).events.at(-1)?.data, 2)
          rounds = 0
          const error = yield* Effect.flip(overtaken(99))
          assert.deepInclude(error, { _tag: "DecisionOvertaken", attempts: 3 })
          rounds = 0
          const other = Dcb.decide({ query, decide: () => Effect.suspend(() => Effect.fail(`no ${++rounds}`)) })
          assert.strictEqual(yield* Effect.flip(other), "no 1")
          assert.deepStrictEqual(yield* Dcb.decide({ query, decide: () => Effect.succeed([]) }), Option.none())
        }))
      it.effect("never gives a course or a student more than they may have, with 32 writers at once", () =>
        Effect.gen(function*() {
          const courses = Array.from({ length: 4 }, () => fresh("course"))
          const students = Array.from({ length: 24 }, () => fresh("student"))
          const enroll = (student: string, course: string) =>
            Dcb.decide({
              query: [{ tags: [course], types: ["Enrolled"] }, { tags: [student], types: ["Enrolled"] }],
              retry: Schedule.spaced("1 millis"),
              decide: (events) => {
                const of = (tag: string) => events.filter(({ tags }) => tags.includes(tag))
                return of(course).length >= 10
                  ? Effect.fail("full" as const)
                  : of(student).length >= 3
                  ? Effect.fail("busy" as const)
                  : of(course).some(({ tags }) => tags.includes(student))
                  ? Effect.fail("there" as const)
                  : Effect.succeed([event("Enrolled", course, student)])
              }
            })
          const wishes = students.flatMap((student, i) =>
            courses.map((_, j) => [student, courses[(i + j) % courses.length] ?? ""] as const)
          )
          const exits = yield* Effect.forEach(
            wishes,
            // A writer that lingers before its commit is one that a check without locks cannot see.
            ([student, course]) =>
              UnitOfWork.UnitOfWork.use((unit) =>
                Effect.exit(unit.run(Effect.andThen(enroll(student, course), Effect.sleep("2 millis"))))
              ),
            { concurrency: 32 }
          )
          const stored = (yield* read(courses.map((course) => ({ tags: [course] })))).events
          assert.strictEqual(exits.filter(Exit.isSuccess).length, stored.length)
          const refusals = exits.flatMap((exit) => Exit.isFailure(exit) ? exit.cause.reasons : [])
            .map((reason) => reason._tag === "Fail" ? String(reason.error) : reason._tag)
          assert.deepStrictEqual(new Set(refusals), new Set(["full", "busy"]))
          for (const course of courses) {
            assert.strictEqual(stored.filter(({ tags }) => tags.includes(course)).length, 10, "a course is full")
          }
          for (const student of students) {
            assert.isAtMost(stored.filter(({ tags }) => tags.includes(student)).length, 3)
          }
          assert.strictEqual(new Set(stored.map(({ tags }) => tags.join())).size, stored.length, "each pair once")
        }))
    })
  })
}
