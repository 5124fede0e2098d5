/** How each kind of guard, and what follows the events, is drawn as a card: the state in words, and in colour besides. */
import { element, millis, plural, time } from "./dom.mjs"

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

export const circuit = ({ failed, key, name, rejected, since, state, succeeded }) => {
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

export const bulkhead = ({ inFlight, limit, name, queued, refused }) =>
  card({
    name,
    badge: inFlight >= limit ? "bulkhead full" : "bulkhead",
    badgeTone: inFlight >= limit ? "bad" : undefined,
    facts: [["in flight", `${inFlight} of ${limit}`], ["waiting", queued], ["refused", refused]],
    share: limit === 0 ? 0 : inFlight / limit
  })

export const pool = ({ inUse, name, size, waiting }) => {
  const full = size > 0 && inUse >= size
  return card({
    name: `pool ${name}`,
    badge: full ? "pool used up" : "connections",
    badgeTone: full ? "bad" : undefined,
    tone: full && waiting > 0 ? "bad" : undefined,
    facts: [["in use", `${inUse} of ${size}`], ["waiting", waiting]],
    share: size === 0 ? 0 : inUse / size
  })
}

/** Less than one whole retry pays for none. */
export const budget = ({ denied, granted, left, name }) => {
  const spent = left !== null && left < 1
  return card({
    name,
    badge: spent ? "retry budget spent" : "retry budget",
    badgeTone: spent ? "bad" : "good",
    tone: spent ? "bad" : undefined,
    facts: [
      ["left", left === null ? "no limit" : plural(Math.floor(left), "retry", "retries")],
      ["granted, denied", `${granted}, ${denied}`]
    ]
  })
}

export const rateLimit = ({ lastAt, policy, refused, skipped, unavailable }) => {
  const blind = skipped + unavailable > 0
  return card({
    name: policy,
    badge: blind ? "rate limit, its store was away" : "rate limit reached",
    badgeTone: blind ? "bad" : "warn",
    facts: [
      ["refused", refused],
      ["passed, limits away", skipped],
      ["refused, limits away", unavailable],
      ["last", time(lastAt)]
    ]
  })
}

export const eventLoop = ({ maxMillis, p99Millis, utilization }) =>
  card({
    name: "event loop",
    badge: `${Math.round(utilization * 100)} % busy`,
    badgeTone: utilization >= 0.8 ? "bad" : "good",
    facts: [["late, p99", millis(p99Millis)], ["late, at most", millis(maxMillis)]],
    share: utilization
  })

export const subscription = ({ at, deadLetters, lag, lagMillis, mark, name, owned, paused }) => {
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

export const outbox = ({ at, deadLetters, oldestMillis, pausedKeys, pending, topics }) => {
  const stuck = pausedKeys > 0 || deadLetters > 0
  return card({
    name: topics === "*" ? "outbox" : `outbox ${topics}`,
    badge: stuck ? "stuck" : pending === 0 ? "all published" : `${plural(pending, "message")} to publish`,
    badgeTone: stuck ? "bad" : pending === 0 ? "good" : "warn",
    tone: stuck ? "bad" : undefined,
    facts: [
      ["to publish", pending],
      ["oldest waits", millis(oldestMillis)],
      ["dead letters", deadLetters],
      ["keys behind them", pausedKeys],
      ["seen", time(at)]
    ]
  })
}

export const saga = ({ count, name, outcome }) => {
  const parked = outcome.startsWith("parked")
  return card({
    name: `saga ${name}`,
    badge: outcome,
    badgeTone: parked ? "bad" : "good",
    facts: [["ended so", count]]
  })
}
