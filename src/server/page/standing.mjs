/** How guards and event streams stand, service by service, as each last told it. */
import * as cards from "./cards.mjs"
import { byId, element, time } from "./dom.mjs"

const standing = new Map()
let drawing = false

export const set = (data) => {
  standing.set(data.service, data)
  drawSoon()
}

export const remove = (service) => {
  standing.delete(service)
  drawSoon()
}

export const clear = () => {
  standing.clear()
  drawSoon()
}

/** Three services tell it in the same second. */
const drawSoon = () => {
  if (drawing) return
  drawing = true
  requestAnimationFrame(() => {
    drawing = false
    drawGuards()
    drawStreams()
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

const drawGuards = () =>
  byId("guards").replaceChildren(...groups(
    ({ budgets, bulkheads, circuits, eventLoop, pools, rateLimits }) => [
      ...circuits.map(cards.circuit),
      ...bulkheads.map(cards.bulkhead),
      ...pools.map(cards.pool),
      ...budgets.map(cards.budget),
      ...rateLimits.map(cards.rateLimit),
      ...(eventLoop === null ? [] : [cards.eventLoop(eventLoop)])
    ],
    "No guard has been used yet."
  ))

const drawStreams = () => {
  // What is being read with the keyboard stays where it is.
  if (byId("streams").contains(document.activeElement)) return
  const events = Array.from(standing.values()).filter((each) => each.events.length > 0)
  byId("streams").replaceChildren(
    ...groups(
      ({ outboxes, sagas, subscriptions }) => [
        ...subscriptions.map(cards.subscription),
        ...outboxes.map(cards.outbox),
        ...sagas.map(cards.saga)
      ],
      "No subscription has reported yet."
    ),
    ...events.flatMap((each) => [
      element("h3", {}, `Latest events of ${each.service}`),
      element("ol", { class: "events", "aria-label": `Latest events of ${each.service}` }, ...each.events.map(eventRow))
    ])
  )
}

byId("streams").addEventListener("focusout", drawSoon)
