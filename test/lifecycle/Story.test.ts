import { assert, describe, it } from "@effect/vitest"
import { Standing, Story } from "effect-lifecycle/lifecycle"

const part = (change: Partial<Story.Part> & Pick<Story.Part, "service">): Story.Part => ({
  id: "1",
  requestId: "r-1",
  startedAt: 1000,
  durationMillis: 10,
  request: { method: "GET", route: "/", status: 200, outcome: "ok", stage: null, userId: null },
  stages: [],
  steps: [],
  dropped: 0,
  ...change
})

const answered = (method: string, route: string | null, status = 200): Story.Answered => ({
  method,
  route,
  status,
  outcome: status >= 500 ? "failed" : "ok",
  stage: null,
  userId: null
})

const call = (
  name: string,
  startMillis: number,
  durationMillis: number,
  change: { readonly attempt?: number; readonly outcome?: string; readonly route?: null } = {}
): Story.Step => {
  const [method = "", route = null] = name.split(" ")
  return {
    kind: change.attempt === undefined ? "call" : "attempt",
    name,
    outcome: change.outcome ?? "200",
    failed: false,
    startMillis,
    durationMillis,
    call: {
      method,
      endpoint: "http://there",
      route: "route" in change ? null : route,
      attempt: change.attempt ?? null
    }
  }
}

const orders = part({
  service: "orders",
  durationMillis: 100,
  request: answered("POST", "/orders/:id/payment"),
  stages: [
    { stage: "Middleware", name: "server/ServerStack", startMillis: 0, durationMillis: 1 },
    { stage: "Handler", name: "server/ServerStack", startMillis: 1, durationMillis: 98 }
  ],
  steps: [
    {
      kind: "command",
      name: "orders.Pay",
      outcome: "success",
      failed: false,
      startMillis: 2,
      durationMillis: 90
    },
    call("POST /payments", 10, 60)
  ]
})
const payments = part({
  service: "payments",
  startedAt: 1012,
  durationMillis: 50,
  request: answered("POST", "/payments", 201),
  steps: [call("GET /users/{id}", 5, 20)]
})
const users = part({ service: "users", startedAt: 1020, durationMillis: 10, request: answered("GET", "/users/:id") })

const places = (story: Story.Story) =>
  story.parts.map(({ depth, part, startMillis }) => [part.service, depth, startMillis])

describe("Story", () => {
  describe("join", () => {
    it("puts every service below the call that reached it, in whatever order the parts come", () => {
      for (const parts of [[orders, payments, users], [users, payments, orders], [payments, orders, users]]) {
        const story = Story.join(parts)
        assert.deepStrictEqual(places(story), [["orders", 0, 0], ["payments", 1, 12], ["users", 2, 20]])
        assert.deepStrictEqual(Story.services(story), ["orders", "payments", "users"])
        assert.strictEqual(story.durationMillis, 100)
        assert.deepStrictEqual(story.parts[2]?.cause, { partId: "1", service: "payments", step: 0 })
      }
    })

    it("counts a part once that two services tell", () => {
      assert.lengthOf(Story.join([orders, users, orders, users]).parts, 2)
    })

    it("is empty without parts", () => {
      assert.deepStrictEqual(Story.join([]), { parts: [], durationMillis: 0 })
    })

    it("does not believe the clock of another machine: a part lies in the middle of its call", () => {
      for (const skew of [-3_600_000, -70, 40, 86_400_000]) {
        const story = Story.join([orders, { ...payments, startedAt: payments.startedAt + skew, steps: [] }])
        assert.deepStrictEqual(places(story), [["orders", 0, 0], ["payments", 1, 15]], `${skew}`)
      }
    })

    it("gives each attempt the request it made", () => {
      const retrying = {
        ...orders,
        steps: [
          call("POST /payments", 10, 60, { outcome: "201 in 2 attempts" }),
          call("POST /payments", 10, 20, { attempt: 1, outcome: "503" }),
          call("POST /payments", 40, 30, { attempt: 2, outcome: "201" })
        ]
      }
      const first = { ...payments, steps: [], durationMillis: 5, request: answered("POST", "/payments", 503) }
      const second = { ...payments, id: "2", steps: [], startedAt: 1042, durationMillis: 25 }
      const story = Story.join([second, first, retrying])
      assert.deepStrictEqual(story.parts.map(({ cause, part }) => [part.id, cause?.step]), [
        ["1", undefined],
        ["1", 1],
        ["2", 2]
      ])
      assert.deepStrictEqual(Story.lines(story).filter(({ kind }) => kind !== "stage").map(({ what }) => what), [
        "orders POST /orders/:id/payment",
        "calls POST /payments at http://there",
        "attempt 1",
        "payments POST /payments",
        "attempt 2",
        "payments POST /payments"
      ])
    })

    it("finds a request that no route matched by its time, and not beyond it", () => {
      const nowhere = part({ service: "payments", startedAt: 1020, request: answered("POST", null, 404) })
      assert.deepStrictEqual(Story.join([orders, nowhere]).parts[1]?.depth, 1)
      assert.deepStrictEqual(Story.join([orders, { ...nowhere, startedAt: 1090 }]).parts[1]?.depth, 0)
    })

    it("never takes who called for who answered", () => {
      const caller = part({
        service: "orders",
        startedAt: 1000,
        durationMillis: 50,
        request: answered("POST", "/orders"),
        steps: [call("POST /payments", 1, 40)]
      })
      const callee = part({
        service: "payments",
        startedAt: 1000.5,
        durationMillis: 38,
        request: answered("POST", "/payments"),
        // The bank's template is not known.
        steps: [call("POST", 0, 20)]
      })
      const story = Story.join([caller, callee])
      assert.deepStrictEqual(story.parts.map(({ cause, part }) => [part.service, cause?.service]), [
        ["orders", undefined],
        ["payments", "orders"]
      ])
    })

    it("leaves what nobody has called where it is", () => {
      const background = part({ service: "orders", id: "b", startedAt: 1500, request: null })
      const other = part({ service: "users", startedAt: 1501, request: answered("DELETE", "/users/:id") })
      assert.deepStrictEqual(places(Story.join([orders, background, other])), [
        ["orders", 0, 0],
        ["orders", 0, 500],
        ["users", 0, 501]
      ])
    })

    it("makes no circle of two services that call each other with one route", () => {
      const a = part({ service: "a", steps: [call("GET /", 0, 10)] })
      const b = part({ service: "b", startedAt: 1000.5, durationMillis: 8, steps: [call("GET /", 0, 8)] })
      const story = Story.join([a, b])
      assert.lengthOf(story.parts, 2)
      assert.deepStrictEqual(story.parts.map(({ depth }) => depth).sort(), [0, 1])
    })
  })

  describe("lines", () => {
    it("stand below what they lie within", () => {
      assert.deepStrictEqual(
        Story.lines(Story.join([orders, payments, users])).map(({ depth, what }) => `${"  ".repeat(depth)}${what}`),
        [
          "orders POST /orders/:id/payment",
          "  Middleware (server/ServerStack)",
          "  Handler (server/ServerStack)",
          "    command orders.Pay",
          "      calls POST /payments at http://there",
          "        payments POST /payments",
          "          calls GET /users/{id} at http://there",
          "            users GET /users/:id"
        ]
      )
    })

    it("put side by side what only overlaps", () => {
      const story = Story.join([part({
        service: "a",
        steps: [call("GET /one", 0, 5), call("GET /two", 3, 6)]
      })])
      assert.deepStrictEqual(Story.lines(story).map(({ depth }) => depth), [0, 1, 1])
    })

    it("put calls side by side that begin at once, each above what it caused", () => {
      const story = Story.join([
        part({ service: "a", durationMillis: 60, steps: [call("GET /long", 1, 50), call("GET /short", 1, 10)] }),
        part({ service: "b", startedAt: 1002, durationMillis: 45, request: answered("GET", "/long") }),
        part({ service: "c", startedAt: 1002, durationMillis: 8, request: answered("GET", "/short") })
      ])
      assert.deepStrictEqual(
        Story.lines(story).map(({ depth, what }) => `${"  ".repeat(depth)}${what}`),
        [
          "a GET /",
          "  calls GET /long at http://there",
          "    b GET /long",
          "  calls GET /short at http://there",
          "    c GET /short"
        ]
      )
    })

    it("say what went wrong, what runs and what is missing", () => {
      const lines = Story.lines(Story.join([
        part({ service: "a", request: { ...answered("GET", "/a", 503), stage: "Middleware" }, dropped: 3 }),
        part({ service: "b", request: { ...answered("GET", null), status: null, outcome: "running" } })
      ]))
      assert.deepStrictEqual(lines.map(({ failed, outcome, what }) => [what, outcome, failed]), [
        ["a GET /a (3 more)", "503 by Middleware", true],
        ["b GET (no route)", "running", false]
      ])
    })
  })

  describe("render", () => {
    const hostile = part({ service: "a\u001b[2Jb\n\u202e", request: answered("GET", `/${"x".repeat(400)}`) })

    it("never breaks a line or moves a cursor, whatever it was told", () => {
      for (const width of [0, 60, 80, 100, 1000, NaN]) {
        const lines = Story.render(Story.join([orders, payments, users, hostile]), { width }).split("\n")
        assert.lengthOf(lines, 10)
        for (const line of lines) {
          assert.isAtMost(Array.from(line).length, Math.min(300, Math.max(60, width || 60)))
          assert.notMatch(line, /\p{C}/u)
        }
      }
    })

    it("draws a bar where something happened, and colours only when it may", () => {
      const story = Story.join([orders, payments, users])
      const plain = Story.render(story)
      assert.match(plain, / +12\.00 +payments POST \/payments +201 +50\.00 +█+/)
      assert.notInclude(plain, "\u001b")
      assert.include(Story.render(story, { color: true }), "\u001b[1m")
    })
  })
})

describe("Standing", () => {
  it("is empty where nothing has reported", () => {
    const { eventLoop, service, ...rest } = Standing.empty("orders")
    assert.deepStrictEqual([service, eventLoop], ["orders", null])
    assert.isTrue(Object.values(rest).every((value) => value.length === 0))
  })
})
