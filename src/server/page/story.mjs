/** The story of one request, which the address names behind `#story=`. */
import { barOf, byId, element, millis, plural } from "./dom.mjs"
import * as requests from "./requests.mjs"
import { ask } from "./stream.mjs"

let told = ""
let opener
let asking
let later

const idOfHash = () => /^#story=([A-Za-z0-9._-]{1,128})$/.exec(location.hash)?.[1] ?? ""

export const show = async ({ focus = false } = {}) => {
  const id = idOfHash()
  told = id
  requests.mark(id)
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
    if (response.ok) draw(body)
    else say(response.status === 404 ? unknown(body.away ?? []) : body.title)
  } catch (error) {
    if (error.name !== "AbortError") say("The service does not answer.")
  }
}

const unknown = (away) =>
  "Nothing is known of it: the id is wrong, or it was too long ago." +
  (away.length === 0 ? "" : ` ${away.join(" and ")} did not answer, and may know it.`)

export const clear = () => say("")

const say = (text) => {
  byId("story-said").textContent = text
  byId("lines").replaceChildren()
}

const draw = ({ away, durationMillis, lines, services }) => {
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
export const reported = (id) => {
  if (id !== told) return
  clearTimeout(later)
  later = setTimeout(show, 300)
}

/** The links are drawn again while a story is read, so the way back is where the link was and what it says. */
const openedBy = (element) => {
  const place = element?.closest("#list, #streams, #find")
  if (!place) return
  const href = element.getAttribute("href")
  opener = () =>
    element.isConnected && !element.closest("[hidden]")
      ? element
      : Array.from(place.querySelectorAll("a")).find((link) =>
        link.getAttribute("href") === href && link.checkVisibility()
      )
}

addEventListener("hashchange", () => {
  if (byId("board").hidden) return
  if (idOfHash() !== "") {
    openedBy(document.activeElement)
    clear()
  }
  show({ focus: idOfHash() !== "" })
})

const close = () => {
  history.pushState(null, "", location.pathname + location.search)
  show()
  const back = opener?.() ?? byId("requests")
  back.focus()
}

byId("close").addEventListener("click", close)
byId("again").addEventListener("click", () => show())

/** In the field of the filter, Escape empties it first. */
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || byId("story").hidden) return
  if (event.target.type === "search" && event.target.value !== "") return
  close()
})

byId("find").addEventListener("submit", (event) => {
  event.preventDefault()
  openedBy(byId("id"))
  const hash = `#story=${byId("id").value.trim()}`
  if (location.hash === hash) show({ focus: true })
  else location.hash = hash
})
