import { describe, it } from "@effect/vitest"
import type { Story } from "effect-lifecycle/lifecycle"
import { check } from "../../support.ts"
import { different, failedFirst, spentBy } from "./exercise.ts"
import { call, calm, letters, orders, record, type Visit } from "./recordings.ts"

const start = 1_795_000_000_000

/** The parts of one request, in an order that says nothing. */
const partsOf = (visit: Visit): ReadonlyArray<Story.Part> =>
  record("r-1", start, visit).toSorted((a, b) => b.service.localeCompare(a.service))

const shown = (millis: number | undefined): string =>
  millis === undefined ? "nothing" : `${Math.round(millis * 10) / 10} ms`

/** What is written down is in the order in which it must come. */
const expectSpent = (visit: Visit, expected: Readonly<Record<string, number>>, sentence: string): void => {
  const seen = spentBy(partsOf(visit))
  const places = seen.map(({ place }) => place)
  for (const place of new Set([...Object.keys(expected), ...places])) {
    const found = seen.filter((one) => one.place === place)
    check(found.length <= 1, `${sentence} "${place}" must come once, and spentBy lists it ${found.length} times.`)
    const [wanted, told] = [shown(expected[place]), shown(found[0]?.millis)]
    check(wanted === told, `${sentence} In "${place}" it spent ${wanted}, and spentBy says ${told}.`)
  }
  check(
    places.join(", ") === Object.keys(expected).join(", "),
    `${sentence} Most comes first: ${Object.keys(expected).join(", ")}. spentBy says: ${places.join(", ")}.`
  )
}

const expectFirst = (visit: Visit, expected: string | undefined, sentence: string): void => {
  const seen = failedFirst(partsOf(visit))
  check(seen === expected, `${sentence} It began in "${expected ?? "no place"}", and failedFirst says "${seen}".`)
}

const users = (visit: Partial<Visit> = {}): Visit => ({ service: "users", route: "/users", does: [10], ...visit })
const payments = (visit: Partial<Visit> = {}): Visit => ({
  service: "payments",
  route: "/payments",
  does: [30],
  ...visit
})
const checkout = (visit: Partial<Visit> = {}): Visit => ({ service: "orders", route: "/orders", does: [5], ...visit })

describe("a: who asks nobody has spent it all alone", () => {
  it("one service", () => expectSpent(checkout({ does: [42] }), { "orders: Handler": 42 }, "Orders asks nobody."))
})

describe("b: what was waited for is somebody else's time", () => {
  it("stages", () =>
    expectSpent(
      checkout({ stages: { Middleware: 1, Security: 20, Validation: 3 }, does: [42], answers: 6 }),
      {
        "orders: Handler": 42,
        "orders: Security": 20,
        "orders: Response": 6,
        "orders: Validation": 3,
        "orders: Middleware": 1
      },
      "Each stage has its own time."
    ))

  it("one after the other", () =>
    expectSpent(
      checkout({
        stages: { Security: 2 },
        does: [5, call(users({ stages: { Dependencies: 700 } }), 4), 6, call(payments(), 9), 7]
      }),
      {
        "users: Dependencies": 700,
        "payments: Handler": 30,
        "orders: Handler": 18,
        "users: Handler": 10,
        "orders to payments": 9,
        "orders to users": 4,
        "orders: Security": 2
      },
      "Orders asks users, then payments, and does 18 ms of its own."
    ))

  it("three deep", () =>
    expectSpent(
      checkout({ does: [5, call(payments({ does: [8, call(users({ does: [900] }), 40), 20] }), 3)] }),
      {
        "users: Handler": 900,
        "payments to users": 40,
        "payments: Handler": 28,
        "orders: Handler": 5,
        "orders to payments": 3
      },
      "Payments asks users, and is asked by orders."
    ))

  it("the same place twice", () =>
    expectSpent(
      checkout({ does: [call(users(), 2), 5, call(users({ does: [100] }), 2)] }),
      { "users: Handler": 110, "orders: Handler": 5, "orders to users": 4 },
      "A place comes once, with all of its time."
    ))

  it("no way at all", () =>
    expectSpent(
      checkout({ does: [5, call(users(), 0)] }),
      { "users: Handler": 10, "orders: Handler": 5 },
      "Users is in the same process, and a place without time is left out."
    ))

  it("nobody answers", () =>
    expectSpent(
      checkout({ does: [5, call("payments", 3000), 2], status: 503 }),
      { "orders to payments": 3000, "orders: Handler": 7 },
      "Nobody knows of a request to payments."
    ))

  it("clocks that differ", () =>
    expectSpent(
      checkout({ does: [5, call(payments({ ahead: -90_000, does: [8, call(users({ ahead: 7000 }), 4), 20] }), 3)] }),
      {
        "payments: Handler": 28,
        "users: Handler": 10,
        "orders: Handler": 5,
        "payments to users": 4,
        "orders to payments": 3
      },
      "The clock of payments is a minute and a half behind."
    ))

  it("the whole of it", () => {
    for (const [name, parts] of Map.groupBy(letters, (part) => part.requestId)) {
      const customers = parts.find((part) => part.service === "orders")
      const sum = spentBy(parts).reduce((sum, { millis }) => sum + millis, 0)
      check(
        customers !== undefined && Math.abs(sum - customers.durationMillis) < 0.001,
        `All places of ${name} must add up to ${customers?.durationMillis} ms, and they are ${sum} ms.`
      )
    }
  })
})

describe("c: of what runs at once, only what was waited for counts", () => {
  it("two at once", () =>
    expectSpent(
      checkout({ does: [5, [call(payments({ does: [300] })), call(users({ does: [120] }))], 4] }),
      { "payments: Handler": 300, "orders: Handler": 9, "orders to payments": 2 },
      "Users answers long before payments does."
    ))

  it("three at once, and one before them", () =>
    expectSpent(
      checkout({
        does: [
          call(users({ does: [50] }), 1),
          5,
          [
            call({ service: "stock", route: "/stock", does: [80] }),
            call(payments({ does: [20] })),
            call({ service: "mail", route: "/mail", does: [200] }, 7)
          ]
        ]
      }),
      {
        "mail: Handler": 200,
        "users: Handler": 50,
        "orders to mail": 7,
        "orders: Handler": 5,
        "orders to users": 1
      },
      "Mail is the last of the three."
    ))

  it("one that goes on beside two others", () =>
    expectSpent(
      checkout({
        does: [
          3,
          [
            {
              attempts: [{ to: users({ status: 503, does: [40] }), way: 2 }, { to: users({ does: [60] }), way: 2 }],
              waits: 25
            },
            call(payments({ does: [90] }))
          ],
          1
        ]
      }),
      { "users: Handler": 100, "orders: Handler": 29, "orders to users": 4 },
      "The two attempts of users take longer than payments, and orders waits 25 ms between them."
    ))

  it("attempts", () =>
    expectSpent(
      checkout({
        does: [{ attempts: [{ to: "payments", way: 100 }, { to: payments(), way: 2 }], waits: 50 }, 6]
      }),
      { "orders to payments": 102, "orders: Handler": 56, "payments: Handler": 30 },
      "Nobody answers the first attempt, and orders waits 50 ms before the second."
    ))
})

describe("d: the first to fail is not who tells the customer", () => {
  it("nobody failed", () => {
    expectFirst(checkout(), undefined, "The customer got a 200.")
    expectFirst(checkout({ status: 404 }), undefined, "The customer got a 404, which is an answer.")
    expectFirst(
      checkout({ does: [call(users({ status: 500 })), 3] }),
      undefined,
      "Users failed, and orders made do without it: the customer got a 200."
    )
  })

  it("a chain", () => {
    const broken = users({ status: 500 })
    expectFirst(
      checkout({ status: 502, does: [call(payments({ status: 503, does: [call(broken), 4] }))] }),
      "users: Handler",
      "Users has a bug, payments fails because of it, and orders because of payments."
    )
    expectFirst(checkout({ status: 500, does: [call(users()), 3] }), "orders: Handler", "Users was well.")
  })

  it("stages", () => {
    expectFirst(
      checkout({ status: 502, does: [call(payments({ status: 503, by: "Middleware", does: [] }))] }),
      "payments: Middleware",
      "Payments is full, and says so before its handler."
    )
    expectFirst(checkout({ status: 504, by: "Dependencies" }), "orders: Dependencies", "Orders found no connection.")
  })

  it("nobody answered", () =>
    expectFirst(
      checkout({ status: 502, does: [call(payments({ status: 502, does: [call("users", 500)] }))] }),
      "payments to users",
      "Users has no part in it: the request never got there."
    ))

  it("what was mended", () => {
    const mended = {
      attempts: [{ to: users({ status: 503 }), way: 2 }, { to: users(), way: 2 }],
      waits: 20
    }
    expectFirst(
      checkout({ status: 500, does: [mended, 3] }),
      "orders: Handler",
      "The second attempt of users was well; then orders failed by itself."
    )
    expectFirst(
      checkout({ status: 502, does: [call(payments({ status: 500 })), mended] }),
      "payments: Handler",
      "The call to payments failed, and that to users was mended."
    )
  })

  it("a refusal is an answer", () =>
    expectFirst(
      checkout({ status: 500, does: [call(payments({ status: 402 })), 3] }),
      "orders: Handler",
      "Payments said 402, which is an answer; orders could not live with it."
    ))

  it("the last of several", () => {
    expectFirst(
      checkout({
        status: 502,
        does: [call(users({ status: 500 })), 3, call(payments({ status: 503, by: "Security" }))]
      }),
      "payments: Security",
      "Orders made do without users, and gave up when payments failed."
    )
    expectFirst(
      checkout({
        status: 502,
        does: [{ attempts: [{ to: payments({ status: 503, by: "Middleware" }), way: 2 }, { to: "payments", way: 90 }] }]
      }),
      "orders to payments",
      "Payments was full, and then nobody answered any more: after that orders gave up."
    )
  })
})

describe("e: what is different from a calm day", () => {
  const seen = (incident: ReadonlyArray<Story.Part>, usual: ReadonlyArray<Story.Part> = calm): string => {
    const found = different(incident, usual)
    return found === undefined ? "nothing" : `${found.place}, ${Math.round(found.millis / 100) * 100} ms more`
  }

  const expectDifferent = (
    incident: ReadonlyArray<Story.Part>,
    expected: string,
    sentence: string,
    usual?: ReadonlyArray<Story.Part>
  ): void => {
    const told = seen(incident, usual)
    check(told === expected, `${sentence} It is "${expected}", and different says "${told}".`)
  }

  it("the hour of the letters", () =>
    expectDifferent(
      letters,
      "users: Dependencies, 1400 ms more",
      "Users waits 700 ms for a connection, and each order asks it twice."
    ))

  it("other hours", () => {
    expectDifferent(orders(12, { tokens: 200 }), "payments: Security, 200 ms more", "Payments looks up tokens slowly.")
    expectDifferent(orders(40, { way: 250 }), "orders to payments, 200 ms more", "The way to payments is long.")
    expectDifferent(orders(3, { own: 400 }), "orders: Handler, 400 ms more", "Orders itself is slow.")
    expectDifferent(
      orders(12, { own: 100, pool: 300 }),
      "users: Dependencies, 600 ms more",
      "Two things are different, and one of them is more."
    )
  })

  it("nothing to tell", () => {
    expectDifferent(calm, "nothing", "A calm day is not different from itself.")
    expectDifferent(orders(60), "nothing", "There are more orders, and each takes as long as ever.")
    expectDifferent(orders(12, { stock: 200 }), "nothing", "The stock is slower, and nobody waits for it.")
    expectDifferent(orders(12, { tokens: 30 }), "nothing", "Thirty milliseconds are no incident.")
  })

  it("where an incident begins", () => {
    const usual = partsOf(checkout({ does: [10] }))
    expectDifferent(partsOf(checkout({ does: [60] })), "orders: Handler, 100 ms more", "Fifty more are enough.", usual)
    expectDifferent(partsOf(checkout({ does: [59] })), "nothing", "Forty-nine more are not.", usual)
    const asks = different(partsOf(checkout({ does: [10, call(users({ does: [500] }))] })), usual)
    check(
      asks?.place === "users: Handler" && Math.abs(asks.millis - 500) < 0.001,
      `On a calm day nobody asks users, so 500 ms there are 500 ms more. Seen: ${asks?.place}, ${asks?.millis} ms.`
    )
  })

  it("clocks that differ", () =>
    expectDifferent(
      orders(12, { tokens: 200, clocks: 4000 }),
      "payments: Security, 200 ms more",
      "The clocks of the machines are seconds apart."
    ))

  it("one slow order of many", () => {
    const mixed = [
      ...orders(9),
      ...orders(10, { pool: 4000 }).filter(({ requestId }) => requestId === "r-9")
    ]
    expectDifferent(mixed, "users: Dependencies, 900 ms more", "One of ten orders waits for nearly nine seconds.")
  })
})
