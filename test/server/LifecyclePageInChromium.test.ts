/** The page in a real browser, over a journal that holds what each case needs. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, PubSub, Redacted, Stream } from "effect"
import { Standing, type Story } from "effect-lifecycle/lifecycle"
import { Authentication, LifecyclePage, ServerStack } from "effect-lifecycle/server"
import { HttpServer } from "effect/http"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Chromium from "../service/chromium.ts"
import { listener } from "./harness.ts"

/** 2026-01-02, 03:04:05 UTC. */
const wall = Date.UTC(2026, 0, 2, 3, 4, 5)

const part = (number: number, status = 200): Story.Part => ({
  id: String(number),
  service: "orders",
  requestId: `r-${number}`,
  startedAt: wall + number,
  durationMillis: 4,
  request: {
    method: "GET",
    route: `/orders/${number}`,
    status,
    outcome: status < 500 ? "ok" : "failed",
    stage: null,
    userId: "alice"
  },
  stages: [
    { stage: "Middleware", name: "server/ServerStack", startMillis: 0, durationMillis: 1 },
    { stage: "Handler", name: "orders", startMillis: 1, durationMillis: 3 }
  ],
  steps: [],
  dropped: 0
})

/** A service that has answered ten requests, the third of them badly, and whose guards stand as given. */
const served = Effect.fnUntraced(function*(guards: Partial<Standing.Standing> = {}) {
  const parts = Array.from({ length: 10 }, (_, index) => part(index + 1, index === 2 ? 500 : 200))
  const news = yield* PubSub.unbounded<Story.Part>()
  let standing: Standing.Standing = { ...Standing.empty("orders"), ...guards }
  const page = LifecyclePage.layer({
    journal: Effect.succeed({
      service: "orders",
      story: (id) => Effect.sync(() => parts.filter(({ requestId }) => requestId === id)),
      recent: () => Effect.sync(() => parts.toReversed()),
      changes: Stream.fromPubSub(news),
      standing: Effect.sync(() => standing)
    }),
    events: Effect.sync(() => standing.events)
  })
  const layer = ServerStack.serve(page, {
    service: "orders",
    authentication: Authentication.stage({ exempt: LifecyclePage.open })
  }).pipe(
    Layer.provide(Authentication.layerTokens(Redacted.make("token123:alice"))),
    Layer.provideMerge(listener)
  )
  const context = yield* Layer.build(Layer.fresh(layer))
  return {
    url: `${HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address)}/lifecycle`,
    /** One more request has ended. */
    answer: (number: number) => {
      parts.push(part(number))
      return PubSub.publish(news, part(number))
    },
    stand: (next: Partial<Standing.Standing>) => Effect.sync(() => (standing = { ...standing, ...next }))
  }
})

const entered = Effect.fnUntraced(function*(tab: Chromium.Tab, url: string) {
  yield* tab.go(url)
  yield* tab.type("token123")
  yield* tab.press("Enter")
  yield* tab.until("document.querySelectorAll('#list li').length === 10")
})

const guards: Partial<Standing.Standing> = {
  circuits: [
    { name: "calls", key: "http://a", state: "Open", since: wall, succeeded: 2, failed: 5, rejected: 7 },
    { name: "calls", key: "http://b", state: "HalfOpen", since: wall, succeeded: 1, failed: 0, rejected: 0 }
  ],
  bulkheads: [
    { name: "calls", inFlight: 64, queued: 3, limit: 64, refused: 9 },
    { name: "reads", inFlight: 1, queued: 0, limit: 8, refused: 0 }
  ],
  pools: [
    { name: "orders", inUse: 5, waiting: 11, size: 5 },
    { name: "users", inUse: 1, waiting: 0, size: 10 }
  ],
  budgets: [
    { name: "calls", left: 0, granted: 12, denied: 4 },
    { name: "reads", left: 7.5, granted: 2, denied: 0 },
    { name: "free", left: null, granted: 1, denied: 0 }
  ],
  rateLimits: [
    { policy: "burst", refused: 3, skipped: 0, unavailable: 0, lastAt: wall },
    { policy: "by-user", refused: 0, skipped: 2, unavailable: 1, lastAt: wall }
  ],
  subscriptions: [
    { name: "list", lag: 4, lagMillis: 20, owned: 1, paused: 0, deadLetters: 0, mark: 9, at: wall },
    { name: "mail", lag: 0, lagMillis: 0, owned: 1, paused: 1, deadLetters: 2, mark: 9, at: wall }
  ],
  outboxes: [
    { topics: "orders", pending: 5, oldestMillis: 65_000, deadLetters: 2, pausedKeys: 1, at: wall },
    { topics: "mail,news", pending: 1, oldestMillis: 120, deadLetters: 0, pausedKeys: 0, at: wall },
    { topics: "*", pending: 0, oldestMillis: 0, deadLetters: 0, pausedKeys: 0, at: wall }
  ],
  sagas: [{ name: "PayOrder", outcome: "parked: attempts", count: 2 }],
  eventLoop: { p99Millis: 12, maxMillis: 40, utilization: 0.93 },
  events: [
    { position: 9, category: "Order", id: "ord_1", version: 2, type: "OrderPaid", at: wall, requestId: "r-4" },
    { position: 8, category: "Order", id: "ord_1", version: 1, type: "OrderPlaced", at: wall, requestId: null }
  ]
}

/** What a card says, line by line: its name, its state, and its facts. */
const cardsOf = (id: string) =>
  `Array.from(document.querySelectorAll('#${id} .cards > li'), (card) =>
    [...card.querySelectorAll('.name > *')].map((each) => each.textContent).concat(
      [...card.querySelectorAll('dt')].map((term) => term.textContent + ': ' + term.nextElementSibling.textContent)))`

/** `PAGE_SHOTS` names a folder for pictures to look at. */
const picture = (tab: Chromium.Tab, name: string) =>
  Effect.map(tab.screenshot, (png) => {
    const folder = process.env["PAGE_SHOTS"] ?? ""
    if (folder !== "") writeFileSync(join(folder, `${name}.png`), png)
  })

const reason = Chromium.installed === undefined ? " (skipped: Chromium is not installed; name it with CHROMIUM)" : ""

describe.skipIf(Chromium.installed === undefined && (process.env["CI"] ?? "") === "")(
  `LifecyclePage in Chromium${reason}`,
  () => {
    it.live(
      "says of each guard and each stream in words how it stands, and says it anew when that changes",
      () =>
        Effect.gen(function*() {
          const { stand, url } = yield* served(guards)
          const tab = yield* Chromium.open
          // The browser's own time zone decides how a time is written.
          yield* tab.send("Emulation.setTimezoneOverride", { timezoneId: "UTC" })
          yield* tab.size(1440, 900)
          yield* entered(tab, url)
          yield* tab.until(`${cardsOf("guards")}.length > 0`)
          const at = "03:04:05.000"
          assert.deepStrictEqual(yield* tab.evaluate(cardsOf("guards")), [
            ["calls, http://a", "circuit open", "succeeded, failed: 2, 5", "refused: 7", `so since: ${at}`],
            ["calls, http://b", "circuit half open", "succeeded, failed: 1, 0", "refused: 0", `so since: ${at}`],
            ["calls", "bulkhead full", "in flight: 64 of 64", "waiting: 3", "refused: 9"],
            ["reads", "bulkhead", "in flight: 1 of 8", "waiting: 0", "refused: 0"],
            ["pool orders", "pool used up", "in use: 5 of 5", "waiting: 11"],
            ["pool users", "connections", "in use: 1 of 10", "waiting: 0"],
            ["calls", "retry budget spent", "left: 0 retries", "granted, denied: 12, 4"],
            ["reads", "retry budget", "left: 7 retries", "granted, denied: 2, 0"],
            ["free", "retry budget", "left: no limit", "granted, denied: 1, 0"],
            [
              "burst",
              "rate limit reached",
              "refused: 3",
              "passed, limits away: 0",
              "refused, limits away: 0",
              `last: ${at}`
            ],
            [
              "by-user",
              "rate limit, its store was away",
              "refused: 0",
              "passed, limits away: 2",
              "refused, limits away: 1",
              `last: ${at}`
            ],
            ["event loop", "93 % busy", "late, p99: 12.00 ms", "late, at most: 40.00 ms"]
          ])
          const streams: ReadonlyArray<ReadonlyArray<string>> = yield* tab.evaluate(cardsOf("streams"))
          assert.deepStrictEqual(streams.map(([name, badge]) => [name, badge]), [
            ["list", "4 positions behind"],
            ["mail", "stuck"],
            ["outbox orders", "stuck"],
            ["outbox mail,news", "1 message to publish"],
            ["outbox", "all published"],
            ["saga PayOrder", "parked: attempts"]
          ])
          assert.deepStrictEqual(streams[2]?.slice(2), [
            "to publish: 5",
            "oldest waits: 65.0 s",
            "dead letters: 2",
            "keys behind them: 1",
            `seen: ${at}`
          ])
          const events: string = yield* tab.evaluate("document.querySelector('#streams .events').innerText")
          assert.match(events, /#9\s+OrderPaid\s+Order ord_1 v2\s+r-4/)

          yield* stand({
            outboxes: [{ topics: "orders", pending: 0, oldestMillis: 0, deadLetters: 0, pausedKeys: 0, at: wall }],
            budgets: [{ name: "calls", left: 3, granted: 12, denied: 4 }],
            rateLimits: []
          })
          yield* tab.until(
            `${cardsOf("streams")}.some(([name, badge]) => name === 'outbox orders' && badge === 'all published')`
          )
          const later: ReadonlyArray<ReadonlyArray<string>> = yield* tab.evaluate(cardsOf("guards"))
          assert.deepStrictEqual(
            later.filter(([, badge]) => /retry|rate/.test(badge ?? "")).map((card) => card.slice(0, 3)),
            [
              ["calls", "retry budget", "left: 3 retries"]
            ]
          )
          assert.deepStrictEqual(tab.complaints, [])
        }),
      60_000
    )

    it.live(
      "keeps all of it inside 360 and 1440 pixels, in light and in dark, with words that stand out",
      () =>
        Effect.gen(function*() {
          const { url } = yield* served(guards)
          const tab = yield* Chromium.open
          yield* tab.size(1440, 900)
          yield* entered(tab, url)
          yield* tab.until(`${cardsOf("streams")}.length > 0`)
          yield* tab.evaluate("location.hash = '#story=r-3'")
          yield* tab.until("document.querySelectorAll('#lines li').length > 1")
          for (const width of [360, 1440]) {
            for (const scheme of ["light", "dark"] as const) {
              yield* tab.size(width, 900)
              yield* tab.scheme(scheme)
              const wide: ReadonlyArray<string> = yield* tab.evaluate(
                `Array.from(document.querySelectorAll('main *')).filter((each) => each.checkVisibility() && !each.closest('.hidden') &&
                  (each.getBoundingClientRect().right > innerWidth + 1 || each.scrollWidth > each.clientWidth + 1 &&
                    getComputedStyle(each).display !== 'inline' && each.matches('.cards *, .events *'))).map((each) => each.outerHTML.slice(0, 80))`
              )
              assert.deepStrictEqual(wide, [], `${width} ${scheme}`)
              // A number that is broken over lines cannot be read.
              const broken = "Array.from(document.querySelectorAll('.cards dd')).filter((each) => " +
                "each.getBoundingClientRect().height > 1.6 * parseFloat(getComputedStyle(each).fontSize)).length"
              assert.strictEqual(yield* tab.evaluate(broken), 0, `${width} ${scheme}`)
              // WCAG: 4.5 to 1 for text.
              const faint: ReadonlyArray<string> = yield* tab.evaluate(`(() => {
                const parse = (color) => color.match(/[\\d.]+/g).map(Number)
                const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
                  .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
                  .reduce((sum, c, index) => sum + c * [0.2126, 0.7152, 0.0722][index], 0)
                const ground = (each) => {
                  const color = parse(getComputedStyle(each).backgroundColor)
                  return color[3] === 0 && each.parentElement ? ground(each.parentElement) : color
                }
                return Array.from(document.querySelectorAll('main *')).filter((each) =>
                  each.checkVisibility() && [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '')
                ).filter((each) => {
                  const [a, b] = [light(parse(getComputedStyle(each).color)), light(ground(each))]
                  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5
                }).map((each) => each.outerHTML.slice(0, 120))
              })()`)
              assert.deepStrictEqual(faint, [], `${width} ${scheme}`)
              yield* picture(tab, `guards-${width}-${scheme}`)
            }
          }
          assert.deepStrictEqual(tab.complaints, [])
        }),
      60_000
    )

    /** What the focus is on, and whether that can be seen. */
    const focus = `(() => {
      const each = document.activeElement
      const { bottom, left, right, top } = each.getBoundingClientRect()
      const { outlineStyle, outlineWidth } = getComputedStyle(each)
      return {
        on: each.id || each.getAttribute('href') || each.tagName,
        outlined: outlineStyle === 'solid' && outlineWidth === '3px',
        inView: top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth
      }
    })()`

    it.live(
      "is walked with the keyboard alone: each stop can be seen, the list is one of them, Enter opens and Escape closes",
      () =>
        Effect.gen(function*() {
          const { answer, url } = yield* served(guards)
          const tab = yield* Chromium.open
          yield* tab.size(1440, 900)
          yield* entered(tab, url)
          yield* tab.until(`${cardsOf("streams")}.length > 0`)
          const on = Effect.map(tab.evaluate(focus), ({ inView, on, outlined }) => {
            assert.deepStrictEqual([outlined, inView], [true, true], on)
            return on as string
          })
          const press = (...keys: ReadonlyArray<string>) => Effect.forEach(keys, (key) => tab.press(key))
          const tabs = (times: number) => Effect.replicateEffect(Effect.andThen(tab.press("Tab"), on), times)
          const back = tab.send("Input.dispatchKeyEvent", {
            type: "rawKeyDown",
            key: "Tab",
            windowsVirtualKeyCode: 9,
            modifiers: 8
          })

          // From the top of the page, in the order of what is seen; ten requests are one stop.
          yield* tab.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
          yield* tab.evaluate(
            "document.body.setAttribute('tabindex', '-1'); document.body.focus(); document.body.removeAttribute('tabindex')"
          )
          const order = yield* tabs(9)
          assert.deepStrictEqual(order, [
            "skip",
            "pause",
            "leave",
            "id",
            "BUTTON",
            "filter",
            "failures",
            "#story=r-10",
            "#story=r-4"
          ])
          yield* back
          assert.strictEqual(yield* on, "#story=r-10")

          // The arrows walk in the list and stop at its ends; what comes in meanwhile moves nobody.
          yield* press("ArrowDown", "ArrowDown")
          assert.strictEqual(yield* on, "#story=r-8")
          yield* answer(11)
          yield* tab.until("document.querySelectorAll('#list li').length === 11")
          assert.strictEqual(yield* on, "#story=r-8")
          yield* press("End", "ArrowDown")
          assert.strictEqual(yield* on, "#story=r-1")
          yield* press("Home", "ArrowUp")
          assert.strictEqual(yield* on, "#story=r-11")
          yield* press("ArrowDown", "ArrowDown")

          // Enter tells the request, and its heading is read first; then its buttons.
          yield* press("Enter")
          yield* tab.until("document.querySelectorAll('#lines li').length === 3")
          assert.strictEqual(yield* on, "story-title")
          assert.strictEqual(yield* tab.evaluate("document.querySelector('#story-title').innerText"), "Request r-9")
          assert.deepStrictEqual(yield* tabs(2), ["again", "close"])
          yield* press("Escape")
          assert.isTrue(yield* tab.evaluate("document.querySelector('#story').hidden"))
          assert.strictEqual(yield* on, "#story=r-9")
          assert.strictEqual(yield* tab.evaluate("location.hash"), "")
          // Whoever leaves the list comes back to where they were.
          yield* press("Tab")
          assert.strictEqual(yield* on, "#story=r-4")
          yield* back
          assert.strictEqual(yield* on, "#story=r-9")

          // From an event, whose row is drawn anew in the meantime, and back to it.
          yield* press("Tab", "Enter")
          yield* tab.until("document.querySelector('#story-title').innerText === 'Request r-4'")
          yield* tab.evaluate(
            "document.querySelector('#streams').replaceChildren(...Array.from(document.querySelector('#streams').childNodes, (each) => each.cloneNode(true)))"
          )
          yield* press("Escape")
          assert.strictEqual(yield* on, "#story=r-4")
          assert.isTrue(yield* tab.evaluate("document.activeElement.closest('#streams') !== null"))

          // By its id, and back to the field.
          yield* tab.evaluate("document.querySelector('#id').focus()")
          yield* tab.type("r-2")
          yield* press("Enter")
          yield* tab.until("document.querySelector('#story-title').innerText === 'Request r-2'")
          yield* tab.until("document.querySelectorAll('#lines li').length === 3")

          // The way to the requests leaves the story open.
          yield* tab.evaluate("document.querySelector('#skip').focus()")
          yield* press("Enter")
          assert.strictEqual(yield* tab.evaluate("document.activeElement.id"), "requests")
          assert.isFalse(yield* tab.evaluate("document.querySelector('#story').hidden"))

          // In the filter, Escape empties the field first. What it hides is no stop.
          yield* tab.evaluate("document.querySelector('#filter').focus()")
          yield* tab.type("/orders/5")
          assert.deepStrictEqual(yield* tabs(2), ["failures", "#story=r-5"])
          yield* tab.evaluate("document.querySelector('#filter').focus()")
          yield* press("Escape")
          assert.isFalse(yield* tab.evaluate("document.querySelector('#story').hidden"))
          assert.strictEqual(yield* tab.evaluate("document.querySelector('#filter').value"), "")
          yield* press("Escape")
          assert.isTrue(yield* tab.evaluate("document.querySelector('#story').hidden"))
          assert.strictEqual(yield* on, "id")
          assert.deepStrictEqual(tab.complaints, [])
        }),
      60_000
    )

    it.live(
      "shows the next one who asks nothing of the one before, and all of it anew",
      () =>
        Effect.gen(function*() {
          const { url } = yield* served(guards)
          const tab = yield* Chromium.open
          yield* entered(tab, url)
          const legend = "Array.from(document.querySelectorAll('#legend li'), (each) => each.innerText)"
          assert.deepStrictEqual(yield* tab.evaluate(legend), ["Middleware", "Handler"])
          yield* tab.until(`${cardsOf("guards")}.length > 0`)
          yield* tab.evaluate("document.querySelector('#leave').focus()")
          yield* tab.press("Enter")
          assert.strictEqual(yield* tab.evaluate("document.activeElement.id"), "token")
          yield* tab.until(`${cardsOf("guards")}.length === 0 && document.querySelectorAll('#list li').length === 0`)
          // The way to the requests has nowhere to lead but to the question who is asking.
          yield* tab.evaluate("document.querySelector('#skip').focus()")
          yield* tab.press("Enter")
          assert.strictEqual(yield* tab.evaluate("document.activeElement.id"), "token")
          yield* tab.type("token123")
          yield* tab.press("Enter")
          yield* tab.until("document.querySelectorAll('#list li').length === 10")
          assert.deepStrictEqual(yield* tab.evaluate(legend), ["Middleware", "Handler"])
          assert.deepStrictEqual(tab.complaints, [])
        }),
      60_000
    )
  }
)
