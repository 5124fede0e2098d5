/** The services, and whether each is heard. */
import { byId, element } from "./dom.mjs"

const services = new Map()

const draw = () =>
  byId("services").replaceChildren(
    ...Array.from(
      services,
      ([name, state]) => element("li", { "data-state": state }, state === "live" ? name : `${name} (${state})`)
    )
  )

export const expect = (first, others) => {
  services.clear()
  services.set(first, "live")
  for (const name of others) services.set(name, "waiting")
  draw()
}

const set = (name, state) => {
  if (services.get(name) === state) return
  services.set(name, state)
  draw()
}

export const live = (name) => set(name, "live")

export const away = (name) => set(name, "away")

export const allAway = () => {
  for (const name of services.keys()) services.set(name, "away")
  draw()
}

export const clear = () => {
  services.clear()
  draw()
}
