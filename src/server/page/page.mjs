/** The page of `GET /lifecycle`: who asks, and what becomes of each message. */
import { byId } from "./dom.mjs"
import * as requests from "./requests.mjs"
import * as services from "./services.mjs"
import * as standing from "./standing.mjs"
import * as story from "./story.mjs"
import * as stream from "./stream.mjs"

const shown = (inside) => {
  byId("enter").hidden = inside
  for (const id of ["board", "pause", "leave"]) byId(id).hidden = !inside
}

/** Whoever comes next sees nothing of what the one before was shown. */
const enter = (said = "") => {
  stream.stop()
  stream.forgetToken()
  for (const part of [requests, services, standing, story]) part.clear()
  shown(false)
  byId("connection").textContent = ""
  byId("refused").textContent = said
  byId("token").focus()
}

const opened = () => {
  shown(true)
  byId("connection").textContent = "Live"
  story.show()
}

const lost = (why) => {
  byId("connection").textContent = `${why}; trying again`
  services.allAway()
}

const received = (event, data) => {
  if (event === "hello") services.expect(data.service, data.neighbours)
  else if (event === "part") {
    services.live(data.service)
    requests.add(data)
    story.reported(data.requestId)
  } else if (event === "standing") {
    services.live(data.service)
    standing.set(data)
  } else if (event === "away") {
    services.away(data.service)
    standing.remove(data.service)
  }
}

const start = () => stream.start({ lost, opened, received, refused: enter })

byId("enter").addEventListener("submit", (event) => {
  event.preventDefault()
  stream.setToken(byId("token").value.trim())
  byId("token").value = ""
  start()
})

byId("leave").addEventListener("click", () => enter())

/** By focus and not by address: the address may name a story, which stays. */
byId("skip").addEventListener("click", (event) => {
  event.preventDefault()
  byId(byId("board").hidden ? "token" : "requests").focus()
})

if (stream.hasToken()) start()
else enter()
