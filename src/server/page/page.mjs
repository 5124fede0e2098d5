/**
 * The page of `GET /lifecycle`: reads the stream of events with the token that was typed in, and draws what comes. Everything
 * goes into the document as text, never as markup.
 */

const byId = (id) => document.getElementById(id)

/** An element with its attributes and children; text stays text. */
const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) made.setAttribute(key, value)
  }
  made.append(...children.filter((child) => child !== undefined))
  return made
}

const millis = (value) => `${value >= 1000 ? value.toFixed(0) : value >= 100 ? value.toFixed(1) : value.toFixed(2)} ms`

const time = (at) => {
  const date = new Date(at)
  const two = (value) => String(value).padStart(2, "0")
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.` +
    String(date.getMilliseconds()).padStart(3, "0")
}

const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`

/** Where the page lies may have a prefix before it. */
const at = (path) => new URL(`lifecycle/${path}`, location.href)

// The token

const tokenKey = "lifecycle-token"
let token = sessionStorage.getItem(tokenKey) ?? ""

const ask = (path, signal) =>
  fetch(at(path), { headers: { authorization: `Bearer ${token}` }, cache: "no-store", signal })

const enter = (said = "") => {
  stop()
  byId("enter").hidden = false
  byId("board").hidden = true
  byId("pause").hidden = true
  byId("leave").hidden = true
  byId("connection").textContent = ""
  byId("services").replaceChildren()
  byId("refused").textContent = said
  byId("token").focus()
}

byId("enter").addEventListener("submit", (event) => {
  event.preventDefault()
  token = byId("token").value.trim()
  byId("token").value = ""
  sessionStorage.setItem(tokenKey, token)
  start()
})

byId("leave").addEventListener("click", () => {
  sessionStorage.removeItem(tokenKey)
  token = ""
  forget()
  enter()
})

// The stream of events

let connection

const stop = () => connection?.abort()

const refusals = {
  401: "Nobody knows this token.",
  403: "This token, or the address you come from, may not see the requests."
}

const start = async () => {
  stop()
  const mine = connection = new AbortController()
  while (!mine.signal.aborted) {
    try {
      const response = await ask("events", mine.signal)
      if (response.status in refusals) {
        sessionStorage.removeItem(tokenKey)
        enter(refusals[response.status])
        return
      }
      if (!response.ok) throw new Error(`the service answered ${response.status}`)
      opened()
      await read(response.body, receive)
      if (!mine.signal.aborted) lost("The connection ended")
    } catch (error) {
      if (mine.signal.aborted) return
      lost(error instanceof TypeError ? "The service does not answer" : error.message)
    }
    await new Promise((resolve) => setTimeout(resolve, 1500))
  }
}

/** Messages are separated by an empty line; each has the name of an event and one line of JSON. */
const read = async (body, receive) => {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ""
  while (true) {
    const { done, value } = await reader.read()
    if (done) return
    const messages = (rest + value).split("\n\n")
    rest = messages.pop()
    for (const message of messages) {
      const event = /^event: (.*)$/m.exec(message)?.[1]
      const data = /^data: (.*)$/m.exec(message)?.[1]
      if (event !== undefined && data !== undefined) receive(event, JSON.parse(data))
    }
  }
}

const opened = () => {
  byId("enter").hidden = true
  byId("board").hidden = false
  byId("pause").hidden = false
  byId("leave").hidden = false
  byId("connection").textContent = "Live"
  showStory()
}

const lost = (why) => {
  byId("connection").textContent = `${why}; trying again`
  for (const name of services.keys()) services.set(name, "away")
  drawServices()
}

const receive = (event, data) => {
  if (event === "hello") {
    services.clear()
    services.set(data.service, "live")
    for (const name of data.neighbours) services.set(name, "waiting")
    drawServices()
  } else if (event === "part") {
    live(data.service)
    if (paused) held.push(data)
    else add(data)
    if (held.length > most) held.shift()
    if (paused) drawPause()
    if (data.requestId === told) storyAgain()
  } else if (event === "standing") {
    live(data.service)
    standing.set(data.service, data)
    drawSoon()
  } else if (event === "away") {
    services.set(data.service, "away")
    standing.delete(data.service)
    drawServices()
    drawSoon()
  }
}

// Services

const services = new Map()

const live = (name) => {
  if (services.get(name) === "live") return
  services.set(name, "live")
  drawServices()
}

const drawServices = () => {
  byId("services").replaceChildren(
    ...Array.from(
      services,
      ([name, state]) => element("li", { "data-state": state }, state === "live" ? name : `${name} (${state})`)
    )
  )
}

// Requests

const most = 200
const rows = new Map()
const held = []
let paused = false

const tone = ({ outcome, status }) =>
  outcome === "failed" || status >= 500 ? "bad" : outcome === "aborted" || status >= 400 ? "warn" : "good"

const barOf = (entries, from, to) => {
  const bar = element("span", { class: "bar", "aria-hidden": "true" })
  const whole = to - from || 1
  for (const { durationMillis, failed, stage, startMillis } of entries) {
    const piece = element("span", { "data-stage": stage, "data-failed": failed })
    const left = Math.min(99.5, Math.max(0, (startMillis - from) / whole * 100))
    piece.style.left = `${left}%`
    piece.style.width = `${Math.min(100 - left, durationMillis / whole * 100)}%`
    bar.append(piece)
  }
  return bar
}

const rowOf = (part) => {
  const { durationMillis, request, requestId, service, stages, startedAt } = part
  const what = `${request.method} ${request.route ?? "(no route)"}`
  const by = request.stage === null ? "" : `, answered by ${request.stage}`
  const from = stages.reduce((least, entry) => Math.min(least, entry.startMillis), 0)
  const to = stages.reduce(
    (latest, entry) => Math.max(latest, entry.startMillis + entry.durationMillis),
    durationMillis
  )
  const link = element(
    "a",
    { href: `#story=${requestId}`, title: `Request ${requestId}${by}` },
    element("span", { class: "time" }, time(startedAt)),
    element("span", { class: "service" }, service),
    element("span", { class: "what" }, what),
    element("span", { class: "status", "data-tone": tone(request) }, String(request.status)),
    element("span", { class: "took" }, millis(durationMillis)),
    barOf(stages, from, to)
  )
  for (const { stage } of stages) drawLegend(stage)
  const text = `${service} ${what} ${request.status} ${request.stage ?? ""} ${request.userId ?? ""} ${requestId}`
  return { item: element("li", {}, link), part, text: text.toLowerCase(), failed: tone(request) !== "good" }
}

/** Newest first: what ended last is usually what came last. */
const add = (part) => {
  const key = `${part.service} ${part.id} ${part.startedAt}`
  if (rows.has(key)) return
  const row = rowOf(part)
  rows.set(key, row)
  const end = part.startedAt + part.durationMillis
  row.end = end
  let before = byId("list").firstElementChild
  while (before !== null && before.end > end) before = before.nextElementSibling
  row.item.end = end
  row.item.key = key
  byId("list").insertBefore(row.item, before)
  if (rows.size > most) {
    const last = byId("list").lastElementChild
    rows.delete(last.key)
    last.remove()
  }
  sift(row)
  drawNone()
}

const sift = ({ failed, item, part, text }) => {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter((word) => word !== "")
  item.hidden = (byId("failures").checked && !failed) || !words.every((word) => text.includes(word))
  if (part.requestId === told) item.firstElementChild.setAttribute("aria-current", "true")
  else item.firstElementChild.removeAttribute("aria-current")
}

const siftAll = () => {
  for (const row of rows.values()) sift(row)
  drawNone()
}

const drawNone = () => {
  const shown = Array.from(rows.values()).some(({ item }) => !item.hidden)
  byId("none").hidden = shown
  byId("none").textContent = rows.size === 0
    ? "Nothing yet. Send a request, and it appears here."
    : "No recent request is like that."
}

const forget = () => {
  rows.clear()
  held.length = 0
  standing.clear()
  byId("list").replaceChildren()
  byId("lines").replaceChildren()
  byId("legend").replaceChildren()
  drawNone()
}

byId("filter").addEventListener("input", siftAll)
byId("failures").addEventListener("change", siftAll)

const drawPause = () => {
  byId("pause").setAttribute("aria-pressed", String(paused))
  byId("pause").textContent = !paused ? "Pause" : held.length === 0 ? "Paused" : `Paused, ${held.length} waiting`
}

byId("pause").addEventListener("click", () => {
  paused = !paused
  if (!paused) { for (const part of held.splice(0)) add(part) }
  drawPause()
})

byId("list").addEventListener("keydown", (event) => {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key]
  if (step === undefined) return
  let item = event.target.closest("li")?.[step]
  while (item?.hidden) item = item[step]
  if (!item) return
  event.preventDefault()
  item.firstElementChild.focus()
})

const road = [
  "Balancer",
  "Proxy",
  "Accept",
  "Server",
  "Middleware",
  "Security",
  "Router",
  "Dependencies",
  "Validation",
  "Handler",
  "Response"
]
const seen = new Set()

const drawLegend = (stage) => {
  if (seen.has(stage)) return
  seen.add(stage)
  byId("legend").replaceChildren(
    ...road.filter((name) => seen.has(name)).map((name) => element("li", { "data-stage": name }, name))
  )
}

// One request

let told = ""
let opener
let asking
let later

const idOfHash = () => /^#story=([A-Za-z0-9._-]{1,128})$/.exec(location.hash)?.[1] ?? ""

const showStory = async ({ focus = false } = {}) => {
  const id = idOfHash()
  told = id
  siftAll()
  byId("story").hidden = id === ""
  asking?.abort()
  if (id === "") return
  byId("story-title").textContent = `Request ${id}`
  if (focus) byId("story-title").focus()
  asking = new AbortController()
  try {
    const response = await ask(`story?id=${encodeURIComponent(id)}`, asking.signal)
    const body = await response.json()
    if (id !== told) return
    if (response.ok) drawStory(body)
    else {sayStory(
        response.status === 404 ? "Nothing is known of it: the id is wrong, or it was too long ago." : body.title
      )}
  } catch (error) {
    if (error.name !== "AbortError") sayStory("The service does not answer.")
  }
}

const sayStory = (text) => {
  byId("story-said").textContent = text
  byId("lines").replaceChildren()
}

const drawStory = ({ away, durationMillis, lines, services }) => {
  const missing = away.length === 0 ? "" : ` ${away.join(" and ")} did not answer, so their part is missing.`
  byId("story-said").textContent = `${plural(services.length, "service")}, ${millis(durationMillis)}.${missing}`
  byId("lines").replaceChildren(...lines.map((line) => {
    const item = element(
      "li",
      { "data-kind": line.kind, "data-failed": line.failed },
      element("span", { class: "at" }, `${line.startMillis < 0 ? "" : "+"}${millis(line.startMillis)}`),
      element("span", { class: "what" }, line.what),
      element("span", { class: "outcome" }, line.outcome),
      element("span", { class: "took" }, millis(line.durationMillis)),
      barOf([line], Math.min(0, ...lines.map((each) => each.startMillis)), durationMillis)
    )
    item.style.setProperty("--depth", line.depth)
    return item
  }))
}

/** More may follow for the same id, such as what was done after the answer. */
const storyAgain = () => {
  clearTimeout(later)
  later = setTimeout(showStory, 300)
}

addEventListener("hashchange", () => {
  if (byId("board").hidden) return
  if (idOfHash() !== "") {
    if (document.activeElement?.closest("#list, #streams")) opener = document.activeElement
    sayStory("")
  }
  showStory({ focus: idOfHash() !== "" })
})

const close = () => {
  history.pushState(null, "", location.pathname + location.search)
  showStory()
  if (opener?.isConnected) opener.focus()
  else byId("requests").focus()
}

byId("close").addEventListener("click", close)
byId("again").addEventListener("click", () => showStory())
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !byId("story").hidden) close()
})

byId("find").addEventListener("submit", (event) => {
  event.preventDefault()
  opener = byId("id")
  const hash = `#story=${byId("id").value.trim()}`
  if (location.hash === hash) showStory({ focus: true })
  else location.hash = hash
})

// Guards and streams

const standing = new Map()
let drawing = false

/** Three services tell it in the same second. */
const drawSoon = () => {
  if (drawing) return
  drawing = true
  requestAnimationFrame(() => {
    drawing = false
    drawStanding()
  })
}

const card = ({ badge, badgeTone, facts, name, share, tone }) => {
  const list = element("dl")
  for (const [term, value] of facts) list.append(element("dt", {}, term), element("dd", {}, String(value)))
  const item = element(
    "li",
    { "data-tone": tone },
    element(
      "div",
      { class: "name" },
      element("span", {}, name),
      badge === undefined ? undefined : element("span", { class: "badge", "data-tone": badgeTone }, badge)
    ),
    list
  )
  if (share !== undefined) {
    const full = element("span", { "data-tone": share >= 0.8 ? "bad" : undefined })
    full.style.width = `${Math.min(100, Math.max(0, share * 100))}%`
    item.append(element("div", { class: "meter", "aria-hidden": "true" }, full))
  }
  return item
}

const states = {
  Closed: ["closed", "good"],
  HalfOpen: ["half open", "warn"],
  Open: ["open", "bad"],
  Isolated: ["isolated", "bad"]
}

const circuitCard = ({ failed, key, name, rejected, since, state, succeeded }) => {
  const [badge, badgeTone] = states[state]
  return card({
    name: key === "" ? name : `${name}, ${key}`,
    badge: `circuit ${badge}`,
    badgeTone,
    tone: badgeTone === "bad" ? "bad" : undefined,
    facts: [
      ["succeeded, failed", `${succeeded}, ${failed}`],
      ["refused", rejected],
      ...(since === null ? [] : [["so since", time(since)]])
    ]
  })
}

const bulkheadCard = ({ inFlight, limit, name, queued, refused }) =>
  card({
    name,
    badge: "bulkhead",
    facts: [["in flight", `${inFlight} of ${limit}`], ["waiting", queued], ["refused", refused]],
    share: limit === 0 ? 0 : inFlight / limit
  })

const budgetCard = ({ denied, granted, left, name }) =>
  card({
    name,
    badge: "retry budget",
    tone: left === 0 ? "bad" : undefined,
    facts: [
      ["left", left === null ? "no limit" : plural(Math.floor(left), "retry", "retries")],
      ["granted, denied", `${granted}, ${denied}`]
    ]
  })

const rateLimitCard = ({ lastAt, policy, refused, skipped, unavailable }) =>
  card({
    name: policy,
    badge: "rate limit",
    badgeTone: "warn",
    facts: [
      ["refused", refused],
      ["passed, limits away", skipped],
      ["refused, limits away", unavailable],
      ["last", time(lastAt)]
    ]
  })

const loopCard = ({ maxMillis, p99Millis, utilization }) =>
  card({
    name: "event loop",
    badge: `${Math.round(utilization * 100)} % busy`,
    badgeTone: utilization >= 0.8 ? "bad" : "good",
    facts: [["late, p99", millis(p99Millis)], ["late, at most", millis(maxMillis)]],
    share: utilization
  })

const subscriptionCard = ({ at, deadLetters, lag, lagMillis, mark, name, owned, paused }) => {
  const stuck = paused > 0 || deadLetters > 0
  return card({
    name,
    badge: stuck ? "stuck" : lag === 0 ? "up to date" : `${plural(lag, "position")} behind`,
    badgeTone: stuck ? "bad" : lag === 0 ? "good" : "warn",
    tone: stuck ? "bad" : undefined,
    facts: [
      ["lag", `${lag}, ${millis(lagMillis)}`],
      ["partitions, paused", `${owned}, ${paused}`],
      ["dead letters", deadLetters],
      ["log complete to", mark],
      ["seen", time(at)]
    ]
  })
}

const sagaCard = ({ count, name, outcome }) => {
  const parked = outcome.startsWith("parked")
  return card({
    name: `saga ${name}`,
    badge: outcome,
    badgeTone: parked ? "bad" : "good",
    facts: [["ended so", count]]
  })
}

const groups = (draw, empty) => {
  const made = Array.from(standing.values(), (each) => [each, draw(each)]).filter(([, items]) => items.length > 0)
  return made.length === 0
    ? [element("p", { class: "quiet" }, empty)]
    : made.flatMap(([{ service }, items]) => [
      element("h3", {}, service),
      element("ul", { class: "cards", "aria-label": service }, ...items)
    ])
}

const eventRow = ({ at, category, id, position, requestId, type, version }) =>
  element(
    "li",
    {},
    element("span", { class: "time" }, time(at)),
    element("span", { class: "position mono" }, `#${position}`),
    element("span", { class: "type" }, type),
    element("span", { class: "stream mono" }, `${category} ${id} v${version}`),
    element(
      "span",
      { class: "by mono" },
      requestId === null ? "" : element("a", { href: `#story=${requestId}` }, requestId)
    )
  )

const drawStanding = () => {
  // What is being read with the keyboard stays where it is.
  if (document.activeElement?.closest("#streams") && document.activeElement.matches("a")) return
  byId("guards").replaceChildren(...groups(
    ({ budgets, bulkheads, circuits, eventLoop, rateLimits }) => [
      ...circuits.map(circuitCard),
      ...bulkheads.map(bulkheadCard),
      ...budgets.map(budgetCard),
      ...rateLimits.map(rateLimitCard),
      ...(eventLoop === null ? [] : [loopCard(eventLoop)])
    ],
    "No guard has been used yet."
  ))
  const events = Array.from(standing.values()).filter((each) => each.events.length > 0)
  byId("streams").replaceChildren(
    ...groups(
      ({ sagas, subscriptions }) => [...subscriptions.map(subscriptionCard), ...sagas.map(sagaCard)],
      "No subscription has reported yet."
    ),
    ...events.flatMap((each) => [
      element("h3", {}, `Latest events of ${each.service}`),
      element("ol", { class: "events", "aria-label": `Latest events of ${each.service}` }, ...each.events.map(eventRow))
    ])
  )
}

if (token === "") enter()
else start()
