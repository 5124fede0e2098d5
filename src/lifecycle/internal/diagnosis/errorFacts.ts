/** What an error says about itself and its causes, read without trusting it. */
import { items, property } from "./responseFacts.ts"

export interface ErrorLink {
  /** In upper case; `""` where it has none. */
  readonly code: string
  readonly name: string
  /** In lower case. */
  readonly message: string
  readonly syscall: string
}

export interface ErrorFacts {
  readonly links: ReadonlyArray<ErrorLink>
  readonly hasCode: (pattern: RegExp) => boolean
  readonly says: (pattern: RegExp) => boolean
  readonly named: (pattern: RegExp) => boolean
  /** The first code that matches, or `""`: for the sentence of evidence. */
  readonly codeOf: (pattern: RegExp) => string
  /** The stage that a `ProbeError` had not finished; `""` for every other error. */
  readonly probed: string
}

const text = (value: unknown): string => typeof value === "string" ? value.slice(0, 4096) : ""

const maximumLinks = 64

/** The error, its causes and the members of its aggregates, outermost first; circles are walked once. */
const linksOf = (error: unknown): ReadonlyArray<ErrorLink> => {
  const links: Array<ErrorLink> = []
  const seen = new Set<unknown>()
  const queue: Array<unknown> = [error]
  for (let at = 0; at < queue.length && links.length < maximumLinks; at++) {
    const value = queue[at]
    if (value === undefined || value === null || seen.has(value)) continue
    seen.add(value)
    if (typeof value === "string") {
      links.push({ code: "", name: "", message: text(value).toLowerCase(), syscall: "" })
      continue
    }
    links.push({
      code: text(property(value, "code")).toUpperCase(),
      name: text(property(value, "name")) || text(property(value, "_tag")),
      message: text(property(value, "message")).toLowerCase(),
      syscall: text(property(value, "syscall")).toLowerCase()
    })
    for (const key of ["errors", "reasons"]) queue.push(...items(property(value, key), maximumLinks))
    for (const key of ["cause", "reason", "error", "defect"]) queue.push(property(value, key))
  }
  return links
}

export const errorFacts = (error: unknown): ErrorFacts => {
  const links = linksOf(error)
  const probe = [error, property(error, "cause")].find((value) => property(value, "_tag") === "ProbeError")
  return {
    links,
    hasCode: (pattern) => links.some((link) => pattern.test(link.code)),
    says: (pattern) => links.some((link) => pattern.test(link.message)),
    named: (pattern) => links.some((link) => pattern.test(link.name)),
    codeOf: (pattern) => links.find((link) => pattern.test(link.code))?.code ?? "",
    probed: text(property(probe, "stage"))
  }
}
