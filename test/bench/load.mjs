/**
 * A closed loop of HTTP requests from a process of its own, so that the load costs the server no time of its thread.
 *
 * `node load.mjs URL CONNECTIONS MILLISECONDS [HEADERS-JSON]` prints `{ "requests", "perSecond", "p99", "failures" }`.
 */
import { Agent, get } from "node:http"

const [url, connections, milliseconds, headers = "{}"] = process.argv.slice(2)
const agent = new Agent({ keepAlive: true, maxSockets: Number(connections) })
const options = { agent, headers: JSON.parse(headers) }
const latencies = []
let failures = 0
const started = performance.now()
const ends = started + Number(milliseconds)

const one = () =>
  new Promise((resolve) => {
    const begin = performance.now()
    const request = get(url, options, (response) => {
      response.resume()
      response.on("end", () => {
        latencies.push(performance.now() - begin)
        if (response.statusCode !== 200) failures++
        resolve()
      })
    })
    request.on("error", () => {
      failures++
      resolve()
    })
  })

await Promise.all(Array.from({ length: Number(connections) }, async () => {
  while (performance.now() < ends) await one()
}))
const seconds = (performance.now() - started) / 1000
latencies.sort((a, b) => a - b)
process.stdout.write(JSON.stringify({
  requests: latencies.length,
  perSecond: latencies.length / seconds,
  p99: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
  failures
}))
agent.destroy()
