/** The list of recent requests: what is in it, what is shown of it, and how it is walked with the keyboard. */
import { barOf, byId, element, millis, time } from "./dom.mjs"

const most = 200
const rows = new Map()
const held = []
let paused = false
let current = ""

const tone = ({ outcome, status }) =>
  outcome === "failed" || status >= 500 ? "bad" : outcome === "aborted" || status >= 400 ? "warn" : "good"

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
    { href: `#story=${requestId}`, tabindex: -1, title: `Request ${requestId}${by}` },
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

/** What comes while the list is held waits, the oldest not for ever. */
export const add = (part) => {
  if (!paused) return insert(part)
  held.push(part)
  if (held.length > most) held.shift()
  drawPause()
}

/** Newest first: what ended last is usually what came last. */
const insert = (part) => {
  const key = `${part.service} ${part.id} ${part.startedAt}`
  if (rows.has(key)) return
  const row = rowOf(part)
  rows.set(key, row)
  const end = part.startedAt + part.durationMillis
  let before = byId("list").firstElementChild
  while (before !== null && before.end > end) before = before.nextElementSibling
  row.item.end = end
  row.item.key = key
  byId("list").insertBefore(row.item, before)
  if (rows.size > most) drop(byId("list").lastElementChild)
  sift(row)
  drawNone()
  keepStop()
}

/** Who reads the oldest row with the keyboard goes on with the one before it. */
const drop = (item) => {
  if (item.contains(document.activeElement)) neighbour(item, "previousElementSibling")?.firstElementChild.focus()
  rows.delete(item.key)
  item.remove()
}

const sift = ({ failed, item, part, text }) => {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter((word) => word !== "")
  item.hidden = (byId("failures").checked && !failed) || !words.every((word) => text.includes(word))
  if (part.requestId === current) item.firstElementChild.setAttribute("aria-current", "true")
  else item.firstElementChild.removeAttribute("aria-current")
}

const siftAll = () => {
  for (const row of rows.values()) sift(row)
  drawNone()
  keepStop()
}

/** Marks the requests of the story that is told; `""` for none. */
export const mark = (id) => {
  current = id
  siftAll()
}

const drawNone = () => {
  const shown = Array.from(rows.values()).some(({ item }) => !item.hidden)
  byId("none").hidden = shown
  byId("none").textContent = rows.size === 0
    ? "Nothing yet. Send a request, and it appears here."
    : "No recent request is like that."
}

export const clear = () => {
  rows.clear()
  held.length = 0
  paused = false
  seen.clear()
  byId("list").replaceChildren()
  byId("legend").replaceChildren()
  drawNone()
  drawPause()
}

byId("filter").addEventListener("input", siftAll)
byId("failures").addEventListener("change", siftAll)

const drawPause = () => {
  byId("pause").setAttribute("aria-pressed", String(paused))
  byId("pause").textContent = !paused ? "Pause" : held.length === 0 ? "Paused" : `Paused, ${held.length} waiting`
}

byId("pause").addEventListener("click", () => {
  paused = !paused
  if (!paused) { for (const part of held.splice(0)) insert(part) }
  drawPause()
})

// The keyboard: the list is one stop of the Tab key, and the arrows walk in it.

const neighbour = (item, step) => {
  let next = item[step]
  while (next?.hidden) next = next[step]
  return next
}

const edge = (first, step) => first?.hidden ? neighbour(first, step) : first

let stop
let wasRead = false

const stopAt = (link) => {
  if (stop === link) return
  stop?.setAttribute("tabindex", "-1")
  stop = link
  stop?.setAttribute("tabindex", "0")
}

/** The row that was last read, or else the newest one that is shown. */
const keepStop = () => {
  if (wasRead && stop.isConnected && !stop.closest("li").hidden) return
  wasRead = false
  stopAt(edge(byId("list").firstElementChild, "nextElementSibling")?.firstElementChild)
}

byId("list").addEventListener("focusin", (event) => {
  wasRead = true
  stopAt(event.target)
})

byId("list").addEventListener("keydown", (event) => {
  const item = event.target.closest("li")
  const list = byId("list")
  const found = {
    ArrowDown: () => neighbour(item, "nextElementSibling"),
    ArrowUp: () => neighbour(item, "previousElementSibling"),
    Home: () => edge(list.firstElementChild, "nextElementSibling"),
    End: () => edge(list.lastElementChild, "previousElementSibling")
  }[event.key]?.()
  if (!found) return
  event.preventDefault()
  found.firstElementChild.focus()
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
