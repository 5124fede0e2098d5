/**
 * The Lua scripts of the shared time-window store. A circuit is one hash:
 *
 * - `state`, `generation` (a whole number as text; a result counts only under the generation it was admitted with)
 * - `counts`: `bucket:successes:failures;` for each bucket that has seen a call, the oldest first
 * - `until`: Closed: when the openings are forgotten. Open: when a probe may run. HalfOpen: how far `lease` may go
 * - `lease`: HalfOpen: when the probe's slot is free, unless its process renews it
 * - `openings`, `openMillis`
 *
 * Time is Redis `TIME`, so the clocks of the processes do not matter. A generation is at least the time in microseconds, so
 * that a key that expired and came back never repeats one. Every number is checked before the first write, and written
 * without an exponent, which Redis would refuse halfway.
 */
import { Redis } from "effect/persistence"

const prelude = `
local function whole(value, least)
  local n = tonumber(value)
  if n == nil or n ~= n or n < least or n > 1125899906842624 then return nil end
  return n
end
local function int(n) return string.format("%.0f", n) end
local function invalid() return redis.error_reply("ERR circuit breaker store: invalid arguments") end
local time = redis.call("TIME")
local micros = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now = math.floor(micros / 1000)
local function after(generation) return int(math.max((tonumber(generation) or 0) + 1, micros)) end
local key = KEYS[1]
`

/** Returns {"ok", generation, probe, openings, moved}, {"open", remaining} or {"halfopen"}. */
export const admit = Redis.script(
  (key: string, leaseMillis: number, probeMillis: number, idleMillis: number) => [
    key,
    leaseMillis,
    probeMillis,
    idleMillis
  ],
  {
    numberOfKeys: 1,
    lua: `${prelude}
local lease, probe, idle = whole(ARGV[1], 1), whole(ARGV[2], 1), whole(ARGV[3], 1)
if not lease or not probe or not idle then return invalid() end
local fields = redis.call("HMGET", key, "state", "generation", "until", "lease", "openings")
local state, generation, openings = fields[1], fields[2], tonumber(fields[5]) or 0
local ends, leased = tonumber(fields[3]) or 0, tonumber(fields[4]) or 0

if not state then
  generation = after(0)
  redis.call("HSET", key, "state", "Closed", "generation", generation, "counts", "")
  redis.call("PEXPIRE", key, int(idle))
  return { "ok", generation, 0, 0, 0 }
end
if state == "Closed" then
  if openings > 0 and now >= ends then
    openings = 0
    redis.call("HSET", key, "openings", 0)
  end
  redis.call("PEXPIRE", key, int(idle))
  return { "ok", generation, 0, openings, 0 }
end
if state == "Open" and now < ends then return { "open", ends - now } end
if state == "HalfOpen" and now < leased then return { "halfopen" } end

generation = after(generation)
redis.call(
  "HSET", key,
  "state", "HalfOpen",
  "generation", generation,
  "until", int(now + probe),
  "lease", int(now + math.min(lease, probe))
)
redis.call("PEXPIRE", key, int(probe + idle))
return { "ok", generation, 1, openings, state == "Open" and 1 or 0 }
`
  }
).withReturnType<
  | readonly [tag: "ok", generation: string, probe: number, openings: number, moved: number]
  | readonly [tag: "open", remainingMillis: number]
  | readonly [tag: "halfopen"]
>()

/** Returns {moved, openings}; moved is "none", "closed-open", "halfopen-open" or "halfopen-closed". */
export const record = Redis.script(
  (
    key: string,
    call: { readonly generation: number; readonly outcome: string; readonly openMillis: number },
    window: {
      readonly bucketMillis: number
      readonly windows: number
      readonly minimumThroughput: number
      readonly failureThreshold: number
    },
    idleMillis: number
  ) => [
    key,
    call.generation,
    call.outcome,
    call.openMillis,
    window.bucketMillis,
    window.windows,
    window.minimumThroughput,
    window.failureThreshold,
    idleMillis
  ],
  {
    numberOfKeys: 1,
    lua: `${prelude}
local outcome = ARGV[2]
local openFor, width, windows = whole(ARGV[3], 0), whole(ARGV[4], 1), whole(ARGV[5], 1)
local minimum, threshold, idle = whole(ARGV[6], 1), whole(ARGV[7], 0), whole(ARGV[8], 1)
if not openFor or not width or not windows or not minimum or not threshold or not idle or
  (outcome ~= "Success" and outcome ~= "Failure" and outcome ~= "Ignored") then
  return invalid()
end
local fields = redis.call("HMGET", key, "state", "generation", "counts", "openings", "openMillis")
local state, generation, openings = fields[1], fields[2], tonumber(fields[4]) or 0
if not state or state == "Open" or generation ~= ARGV[1] then return { "none", 0 } end

local function open()
  openings = openings + 1
  redis.call(
    "HSET", key,
    "state", "Open",
    "generation", after(generation),
    "counts", "",
    "until", int(now + openFor),
    "lease", 0,
    "openings", openings,
    "openMillis", int(openFor)
  )
  redis.call("PEXPIRE", key, int(openFor + idle))
end

if state == "HalfOpen" then
  if outcome == "Failure" then
    open()
    return { "halfopen-open", openings }
  end
  if outcome == "Success" then
    redis.call(
      "HSET", key,
      "state", "Closed",
      "generation", after(generation),
      "counts", "",
      "until", int(now + (tonumber(fields[5]) or 0)),
      "lease", 0
    )
    redis.call("PEXPIRE", key, int(idle))
    return { "halfopen-closed", openings }
  end
  -- A new generation also stops a renewal that is on its way.
  redis.call("HSET", key, "generation", after(generation), "until", int(now), "lease", 0)
  redis.call("PEXPIRE", key, int(idle))
  return { "none", openings }
end

redis.call("PEXPIRE", key, int(idle))
if outcome == "Ignored" then return { "none", openings } end

local failed = outcome == "Failure"
local bucket = math.floor(now / width)
local kept, total, failures, last = {}, 1, failed and 1 or 0, nil
for at, good, bad in string.gmatch(fields[3] or "", "(%d+):(%d+):(%d+);") do
  at, good, bad = tonumber(at), tonumber(good), tonumber(bad)
  if at > bucket - windows then
    total, failures = total + good + bad, failures + bad
    last = { at, good, bad }
    kept[#kept + 1] = last
  end
end
if failed and total >= minimum and failures / total >= threshold then
  open()
  return { "closed-open", openings }
end
-- Time that has been set back counts on in the newest bucket.
if not last or last[1] < bucket then
  last = { bucket, 0, 0 }
  kept[#kept + 1] = last
end
local side = failed and 3 or 2
last[side] = last[side] + 1
local text = {}
for i, at in ipairs(kept) do text[i] = int(at[1]) .. ":" .. int(at[2]) .. ":" .. int(at[3]) .. ";" end
redis.call("HSET", key, "counts", table.concat(text))
return { "none", openings }
`
  }
).withReturnType<
  readonly [moved: "none" | "closed-open" | "halfopen-open" | "halfopen-closed", openings: number]
>()

/** Returns {state, remaining, openings, probing}, and changes nothing. */
export const state = Redis.script((key: string) => [key], {
  numberOfKeys: 1,
  lua: `${prelude}
local fields = redis.call("HMGET", key, "state", "until", "lease", "openings")
local ends = tonumber(fields[2]) or 0
local probing = (tonumber(fields[3]) or 0) > now and 1 or 0
return { fields[1] or "Closed", math.max(0, ends - now), tonumber(fields[4]) or 0, probing }
`
}).withReturnType<readonly [state: string, remainingMillis: number, openings: number, probing: number]>()

/** Keeps the slot of a probe that still runs, up to its longest time. Returns 1, or 0 when the slot is lost. */
export const renew = Redis.script(
  (key: string, generation: number, leaseMillis: number) => [key, generation, leaseMillis],
  {
    numberOfKeys: 1,
    lua: `${prelude}
local lease = whole(ARGV[2], 1)
if not lease then return invalid() end
local fields = redis.call("HMGET", key, "state", "generation", "until")
local ends = tonumber(fields[3]) or 0
if fields[1] ~= "HalfOpen" or fields[2] ~= ARGV[1] or now >= ends then return 0 end
redis.call("HSET", key, "lease", int(math.min(now + lease, ends)))
return 1
`
  }
).withReturnType<number>()
