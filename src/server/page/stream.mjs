/**
 * The stream of events: reads it with the token that was typed in, and reads it again when it breaks off.
 */

/** Where the page lies may have a prefix before it. */
const at = (path) => new URL(`lifecycle/${path}`, location.href)

const tokenKey = "lifecycle-token"
let token = sessionStorage.getItem(tokenKey) ?? ""

export const hasToken = () => token !== ""

export const setToken = (given) => {
  token = given
  sessionStorage.setItem(tokenKey, given)
}

export const forgetToken = () => {
  token = ""
  sessionStorage.removeItem(tokenKey)
}

export const ask = (path, signal) =>
  fetch(at(path), { headers: { authorization: `Bearer ${token}` }, cache: "no-store", signal })

const refusals = {
  401: "Nobody knows this token.",
  403: "This token, or the address you come from, may not see the requests."
}

let connection

export const stop = () => connection?.abort()

/** Goes on until it is refused or stopped; says what happens to `opened`, `received`, `lost` and `refused`. */
export const start = async ({ lost, opened, received, refused }) => {
  stop()
  const mine = connection = new AbortController()
  while (!mine.signal.aborted) {
    try {
      const response = await ask("events", mine.signal)
      if (response.status in refusals) {
        refused(refusals[response.status])
        return
      }
      if (!response.ok) throw new Error(`the service answered ${response.status}`)
      opened()
      await read(response.body, received)
      if (!mine.signal.aborted) lost("The connection ended")
    } catch (error) {
      if (mine.signal.aborted) return
      lost(error instanceof TypeError ? "The service does not answer" : error.message)
    }
    await new Promise((resolve) => setTimeout(resolve, 1500))
  }
}

/** Messages are separated by an empty line; each has the name of an event and one line of JSON. */
const read = async (body, received) => {
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
      if (event !== undefined && data !== undefined) received(event, JSON.parse(data))
    }
  }
}
