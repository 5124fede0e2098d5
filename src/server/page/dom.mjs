/** What the parts of the page draw with. Everything goes into the document as text, never as markup. */

export const byId = (id) => document.getElementById(id)

/** An element with its attributes and children; text stays text. */
export const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) made.setAttribute(key, value)
  }
  made.append(...children.filter((child) => child !== undefined))
  return made
}

export const millis = (value) =>
  value >= 10_000
    ? `${(value / 1000).toFixed(1)} s`
    : `${value >= 1000 ? value.toFixed(0) : value >= 100 ? value.toFixed(1) : value.toFixed(2)} ms`

export const time = (at) => {
  const date = new Date(at)
  const two = (value) => String(value).padStart(2, "0")
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.` +
    String(date.getMilliseconds()).padStart(3, "0")
}

export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`

/** Each entry at its place between two times. */
export const barOf = (entries, from, to) => {
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
