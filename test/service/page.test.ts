import { assert, describe, layer } from "@effect/vitest"
import { Data, Effect, Schedule } from "effect"
import { lifecycle } from "../cli/command.ts"
import * as Chromium from "./chromium.ts"
import { ask, call, type Json, order, place, register, Services, services } from "./harness.ts"
import { freePorts } from "./process.ts"

class NotTold extends Data.TaggedError("NotTold")<{ readonly message: string }> {}

/** A report follows its answer, and what orders tells users goes its own way, so this asks until `enough` is told. */
const storyOf = (
  id: string,
  enough: (services: ReadonlyArray<string>, story: Json) => boolean,
  at = "users" as const
) =>
  call(at, `/lifecycle/story?id=${id}`).pipe(
    Effect.flatMap(({ body, status, text }) =>
      status === 200 && enough(body.services, body)
        ? Effect.succeed<Json>(body)
        : Effect.fail(new NotTold({ message: text }))
    ),
    Effect.retry(Schedule.upTo(Schedule.spaced("20 millis"), { duration: "5 seconds" })),
    Effect.orDie
  )

const pay = (orderId: string, requestId: string) =>
  call("orders", `/orders/${orderId}/payment`, { method: "POST", headers: { "x-request-id": requestId } })

const three = (services: ReadonlyArray<string>) => services.length === 3

const command = (id: string, ...more: ReadonlyArray<string>) =>
  Effect.flatMap(
    Services,
    ({ addresses }) =>
      lifecycle(["story", id, ...Object.values(addresses).flatMap((url) => ["--url", url]), ...more], {
        env: { LIFECYCLE_TOKEN: "token123" }
      })
  )

layer(services, { excludeTestServices: true, timeout: "120 seconds" })("three services, one story", (it) => {
  it.effect("tells a payment over orders, payments and users, each below the call that reached it", () =>
    Effect.gen(function*() {
      const { body: placed } = yield* place(yield* register)
      assert.strictEqual((yield* pay(placed.id, "page-pay")).status, 200)
      const story = yield* storyOf("page-pay", three)
      assert.deepStrictEqual(story.services, ["orders", "payments", "users"])
      assert.deepStrictEqual(story.away, [])
      const told: ReadonlyArray<Json> = story.lines.filter(({ kind }: Json) => kind !== "stage")
      const shown = told.map(({ depth, outcome, what }) =>
        `${"  ".repeat(depth)}${what} ${outcome}`.replace(/http:\S+/, "")
      )
      const inOrder = [
        /^orders POST \/orders\/:id\/payment 200$/,
        /^ +command orders\.Pay success$/,
        /^ +saga PayOrder: reserve success$/,
        /^ +command orders\.Reserve success$/,
        /^ +saga PayOrder: charge success$/,
        /^ +calls POST \/payments at +201$/,
        /^ +payments POST \/payments 201$/,
        /^ +command payments\.Pay success$/,
        /^ +calls GET \/users\/\{id\} at +200$/,
        /^ +users GET \/users\/:id 200$/,
        /^ +query users\.ById success$/,
        /^ +saga PayOrder: confirm success$/
      ]
      let from = 0
      for (const line of inOrder) {
        const found = shown.findIndex((text, index) => index >= from && line.test(text))
        assert.isAtLeast(found, from, `${String(line)} in\n${shown.join("\n")}`)
        from = found + 1
      }
      const [orders, payments, users] = story.parts
      assert.deepStrictEqual([orders.depth, payments.depth, users.depth], [0, 1, 2])
      for (const [outer, inner] of [[orders, payments], [payments, users]]) {
        assert.isAtLeast(inner.startMillis, outer.startMillis)
        assert.isAtMost(
          inner.startMillis + inner.part.durationMillis,
          outer.startMillis + outer.part.durationMillis + 2
        )
      }
      for (const { part } of story.parts) {
        const stages = part.stages.map(({ stage }: Json) => stage)
        for (const stage of ["Server", "Middleware", "Router", "Security", "Handler"]) assert.include(stages, stage)
      }
      for (const { part } of story.parts) assert.strictEqual(part.requestId, "page-pay")
    }))

  it.effect("tells what orders told users after it had answered", () =>
    Effect.gen(function*() {
      const user = yield* register
      yield* place(user, { headers: { "x-request-id": "page-news" } })
      const story = yield* storyOf("page-news", (services, { parts }) =>
        services.includes("users") && parts.at(-1).depth === 1)
      const last = story.parts.at(-1)
      assert.deepStrictEqual(
        [last.part.service, last.part.request.route, last.depth],
        ["users", "/inbox/orders", 1]
      )
    }))

  it.effect("tells the same at each of them, and each its own part", () =>
    Effect.gen(function*() {
      const { body: placed } = yield* place(yield* register)
      yield* pay(placed.id, "page-same")
      const story = yield* storyOf("page-same", three)
      for (const service of ["users", "orders", "payments"] as const) {
        const own = yield* call(service, "/lifecycle/story?id=page-same&scope=own")
        assert.deepStrictEqual(own.body.parts.map(({ service }: Json) => service), [service])
        const all = yield* call(service, "/lifecycle/story?id=page-same")
        assert.deepStrictEqual(all.body, story)
        assert.strictEqual((yield* call(service, "/lifecycle/story?id=page-same", { token: null })).status, 401)
      }
    }))

  it.effect("holds nothing of what the requests carried", () =>
    Effect.gen(function*() {
      const secret = "canary-44dd01"
      const headers = { "x-request-id": "page-canary", cookie: secret, referer: `https://${secret}/` }
      const user = yield* call("users", "/users", {
        method: "POST",
        headers,
        json: { name: secret, email: `${secret}@example.com` }
      })
      const placed = yield* place(user.body.id, {
        headers: { ...headers, "idempotency-key": secret },
        json: { ...order(user.body.id), lines: [{ sku: secret, quantity: 1, price: 5 }] }
      })
      assert.strictEqual(placed.status, 201)
      yield* pay(placed.body.id, "page-canary")
      yield* call("orders", `/orders?status=${secret}`, { headers })
      yield* call("users", `/users/${secret}`, { headers })
      yield* call("users", `/users/${user.body.id}`, { headers, token: secret })
      const story = yield* storyOf("page-canary", three)
      const whole = JSON.stringify(story)
      assert.include(whole, "/users/:id")
      assert.notInclude(whole, secret)
      assert.notInclude(whole, "token123")
    }))

  describe("npx lifecycle story", () => {
    it.effect("prints the chain in order, or as JSON, and ends with 0", () =>
      Effect.gen(function*() {
        const { body: placed } = yield* place(yield* register)
        yield* pay(placed.id, "page-command")
        yield* storyOf("page-command", three)
        const plain = yield* command("page-command", "--plain")
        assert.deepStrictEqual([plain.code, plain.err], [0, ""])
        const [title, heading, ...lines] = plain.out.trimEnd().split("\n")
        assert.match(title ?? "", /^Request page-command: orders, payments, users, [\d.]+ ms$/)
        assert.match(heading ?? "", /at ms +what +outcome +took ms/)
        const at = (text: RegExp) => lines.findIndex((line) => text.test(line))
        assert.strictEqual(at(/ orders POST \/orders\/:id\/payment +200 /), 0)
        assert.isAbove(at(/ payments POST \/payments +201 /), 0)
        assert.isAbove(at(/ users GET \/users\/:id +200 /), at(/ payments POST \/payments/))
        assert.notInclude(plain.out, "\u001b")
        for (const line of lines) assert.isAtMost(Array.from(line).length, 100)

        const json = yield* command("page-command", "--json")
        const body = JSON.parse(json.out)
        assert.deepStrictEqual([body.requestId, body.services, body.away], [
          "page-command",
          ["orders", "payments", "users"],
          []
        ])
      }))

    it.effect("says what it cannot tell, and ends with 1, or with 2 where it was asked in a wrong way", () =>
      Effect.gen(function*() {
        const { addresses } = yield* Services
        const gone = `http://127.0.0.1:${yield* freePorts}`
        const token = { LIFECYCLE_TOKEN: "token123" }
        const cases: ReadonlyArray<
          readonly [number, ReadonlyArray<string>, Readonly<Record<string, string>>, RegExp]
        > = [
          [1, ["nobody-knows", "--url", addresses.users], token, /^No service knows the request "nobody-knows": .*\n$/],
          [2, ["a b"], token, /^A request id is 1 to 128 letters, .*\n$/],
          [1, ["x", "--url", gone], token, /^http:\/\/127\.0\.0\.1:\d+ does not answer \(ECONNREFUSED\)\.\nNo service/],
          [2, ["x", "--url", "users:4100"], token, /^"users:4100" is no address: write it as /],
          [
            2,
            ["x", "--url", "http://alice:s3cret@a"],
            token,
            /^An address of --url holds a name or a password: (?!.*s3c)/
          ],
          [
            1,
            ["x", "--url", addresses.users],
            { LIFECYCLE_TOKEN: "guess" },
            /does not know the token \(401\): set LIFECYCLE_TOKEN/
          ]
        ]
        const ended = yield* Effect.forEach(cases, ([_, args, env]) => lifecycle(["story", ...args], { env }), {
          concurrency: 2
        })
        for (const [index, { code, err, out }] of ended.entries()) {
          assert.deepStrictEqual([code, out], [cases[index]?.[0], ""], err)
          assert.match(err, cases[index]?.[3] ?? /^$/)
        }
      }))

    it.effect("tells the rest where a service is away, and says whose part is missing", () =>
      Effect.gen(function*() {
        const { addresses } = yield* Services
        yield* call("users", "/users/nobody", { headers: { "x-request-id": "page-away" } })
        yield* storyOf("page-away", (services) => services.includes("users"))
        const gone = `http://127.0.0.1:${yield* freePorts}`
        const { code, err, out } = yield* lifecycle(
          ["story", "page-away", "--url", addresses.users, "--url", gone],
          { env: { LIFECYCLE_TOKENS: "token456:bob,token123:alice" } }
        )
        assert.match(out, / users GET \/users\/:id +404 /)
        assert.deepStrictEqual(
          [code, err],
          [0, `${gone} does not answer (ECONNREFUSED). Its part is missing.\n`]
        )
      }))
  })

  const reason = Chromium.installed === undefined ? " (skipped: Chromium is not installed; name it with CHROMIUM)" : ""

  describe.skipIf(Chromium.installed === undefined && (process.env["CI"] ?? "") === "")(
    `the page in Chromium${reason}`,
    () => {
      const overflow = "document.documentElement.scrollWidth - innerWidth"
      const rows = "Array.from(document.querySelectorAll('#list li:not([hidden])'), (item) => item.innerText)"

      it.effect(
        "shows requests as they end, their story and the guards, by keyboard alone, without a complaint",
        () =>
          Effect.gen(function*() {
            const { addresses } = yield* Services
            const { body: placed } = yield* place(yield* register)
            yield* pay(placed.id, "page-before")
            const tab = yield* Chromium.open
            yield* tab.size(1440, 900)
            yield* tab.go(`${addresses.users}/lifecycle`)
            assert.strictEqual(yield* tab.evaluate("document.activeElement.id"), "token")
            assert.isFalse(yield* tab.evaluate("document.body.innerText.includes('Recent requests')"))
            yield* tab.type("token123")
            yield* tab.press("Enter")
            yield* tab.until("document.querySelector('#connection').innerText === 'Live'")
            yield* tab.until("document.querySelectorAll('#services li[data-state=live]').length === 3")
            yield* tab.until(`${rows}.some((text) => text.includes('/orders/:id/payment'))`)
            assert.strictEqual(yield* tab.evaluate("document.querySelector('#token').value"), "")

            // Live: nothing is loaded again.
            yield* call("users", "/users/nobody", { headers: { "x-request-id": "page-live" } })
            yield* tab.until(`${rows}[0].includes('404')`)
            yield* tab.until("document.querySelector('#list li a .bar [data-stage=Handler]') !== null")

            // From the token's form on: the list by its arrows, a story by Enter, back by Escape.
            const link = "a[href=\"#story=page-before\"]"
            yield* tab.evaluate("document.querySelector('#list a').focus()")
            yield* tab.press("ArrowDown")
            assert.isTrue(yield* tab.evaluate("document.activeElement === document.querySelectorAll('#list a')[1]"))
            yield* tab.evaluate(`document.querySelector('${link}').focus()`)
            yield* tab.press("Enter")
            yield* tab.until("document.querySelectorAll('#lines li[data-kind=part]').length === 3")
            assert.strictEqual(yield* tab.evaluate("document.activeElement.id"), "story-title")
            assert.strictEqual(
              yield* tab.evaluate(`document.querySelector('${link}').getAttribute('aria-current')`),
              "true"
            )
            const story: string = yield* tab.evaluate("document.querySelector('#story').innerText")
            for (
              const text of ["Request page-before", "3 services", "saga PayOrder: charge", "payments POST /payments"]
            ) {
              assert.include(story, text)
            }
            yield* tab.press("Escape")
            assert.isTrue(yield* tab.evaluate("document.querySelector('#story').hidden"))
            assert.strictEqual(yield* tab.evaluate("document.activeElement.getAttribute('href')"), "#story=page-before")

            const board: string = yield* tab.until(
              "['orders.list', 'oldest waits'].every((text) => document.querySelector('#streams').innerText.includes(text)) && document.body.innerText"
            )
            for (
              const text of [
                "calls of orders",
                "circuit closed",
                "bulkhead",
                "all published",
                "dead letters",
                "OrderPaid",
                "saga PayOrder"
              ]
            ) {
              assert.include(board, text)
            }

            yield* tab.evaluate("document.querySelector('#failures').click()")
            const failed: ReadonlyArray<string> = yield* tab.evaluate(rows)
            assert.isAbove(failed.length, 0)
            for (const text of failed) assert.match(text, /\b[45]\d\d\b/)

            assert.deepStrictEqual(tab.complaints, [])
            for (const url of tab.requests) assert.strictEqual(new URL(url).origin, addresses.users)
          }),
        60_000
      )

      it.effect("fits 360 and 1440 pixels, in light and in dark", () =>
        Effect.gen(function*() {
          const { addresses } = yield* Services
          const { body: placed } = yield* place(yield* register)
          yield* pay(placed.id, "page-size")
          const id = `page-${"x".repeat(123)}`
          yield* ask(`${addresses.users}/users/nobody`, { headers: { "x-request-id": id } })
          const tab = yield* Chromium.open
          yield* tab.go(`${addresses.users}/lifecycle`)
          const grounds = new Set<string>()
          const looks = [[1440, "light"], [360, "light"], [360, "dark"], [1440, "dark"]] as const
          for (const [width, scheme] of looks) {
            yield* tab.size(width, 800)
            yield* tab.scheme(scheme)
            assert.isAtMost(yield* tab.evaluate(overflow), 0, `the form at ${width}`)
          }
          yield* tab.type("token123")
          yield* tab.press("Enter")
          yield* tab.until(`${rows}.length > 3`)
          for (const story of ["page-size", id]) {
            yield* tab.evaluate(`location.hash = '#story=${story}'`)
            yield* tab.until(
              `document.querySelector('#story-title').innerText.includes('${story}') && document.querySelectorAll('#lines li').length > 5`
            )
            for (const [width, scheme] of looks) {
              yield* tab.size(width, 800)
              yield* tab.scheme(scheme)
              assert.isAtMost(yield* tab.evaluate(overflow), 0, `${story} at ${width}`)
              const inside =
                "Array.from(document.querySelectorAll('.panel *')).filter((each) => each.checkVisibility() && each.getBoundingClientRect().right > innerWidth + 1 && !each.closest('.hidden')).map((each) => each.className || each.tagName)"
              assert.deepStrictEqual(yield* tab.evaluate(inside), [], `${story} at ${width}`)
              grounds.add(yield* tab.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
            }
          }
          assert.strictEqual(grounds.size, 2)
          assert.deepStrictEqual(tab.complaints, [])
        }), 60_000)

      it.effect(
        "asks for another token when nobody knows the first, and forgets what it showed",
        () =>
          Effect.gen(function*() {
            const { addresses } = yield* Services
            const tab = yield* Chromium.open
            yield* tab.go(`${addresses.users}/lifecycle`)
            yield* tab.type("guess")
            yield* tab.press("Enter")
            yield* tab.until("document.querySelector('#refused').innerText === 'Nobody knows this token.'")
            assert.isNull(yield* tab.evaluate("sessionStorage.getItem('lifecycle-token')"))
            yield* tab.type("token123")
            yield* tab.press("Enter")
            yield* tab.until(`${rows}.length > 0`)
            yield* tab.evaluate("document.querySelector('#leave').click()")
            assert.isNull(yield* tab.evaluate("sessionStorage.getItem('lifecycle-token')"))
            assert.deepStrictEqual(yield* tab.evaluate(rows), [])
            assert.isFalse(yield* tab.evaluate("document.querySelector('#enter').hidden"))
          }),
        60_000
      )
    }
  )
})
