/** Reads the answers out of a file where something is to be predicted: its text alone, because nothing may run yet. */

type Answers = Readonly<Record<string, string>>

const strings = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`/g
const comments = /\/\*[^]*?\*\/|\/\/.*$/gm

/** The text without its comments, and the same with its strings blanked out: brackets and commas in them mean nothing. */
const bare = (text: string): { readonly text: string; readonly blank: string } => {
  const both = new RegExp(`${strings.source}|${comments.source}`, "gm")
  const without = text.replaceAll(both, (found) => /^["'`]/.test(found) ? found : " ")
  return { text: without, blank: without.replaceAll(strings, (found) => "_".repeat(found.length)) }
}

/** Where something ends: the first of `signs` outside of all brackets, or the bracket that was open before. */
const endOf = (blank: string, from: number, signs: RegExp): number => {
  let depth = 0
  for (let at = from; at < blank.length; at++) {
    const sign = blank[at] ?? ""
    if (depth === 0 && signs.test(blank.slice(at, at + 2))) return at
    if (/[([{]/.test(sign)) depth++
    if (/[)\]}]/.test(sign) && depth-- === 0) return at
  }
  return blank.length
}

const readObject = (
  text: string,
  blank: string,
  open: number,
  before: string,
  answers: Record<string, string>
): void => {
  for (let at = open + 1; at < blank.length && blank[at] !== "}";) {
    const end = endOf(blank, at, /^,/)
    const colon = endOf(blank, at, /^:/)
    const key = text.slice(at, Math.min(colon, end)).trim().replaceAll(/^["']|["']$/g, "")
    const from = colon < end ? colon + 1 : at
    const value = from + (/^\s*/.exec(text.slice(from, end))?.[0].length ?? 0)
    if (key !== "") {
      if (blank[value] === "{" && colon < end) readObject(text, blank, value, `${before}${key}.`, answers)
      else answers[before + key] = text.slice(value, end).trim().replaceAll(/\s+/g, " ")
    }
    at = blank[end] === "," ? end + 1 : end
  }
}

/** Each question, and the text of its answer; `undefined` where the file has no such object. */
export const answersOf = (file: string): Answers | undefined => {
  const { blank, text } = bare(file)
  const declared = /^export const predictions\b/m.exec(blank)
  if (declared === null) return undefined
  const equals = endOf(blank, declared.index + declared[0].length, /^=[^>=]/)
  const open = equals + 1 + (/^\s*/.exec(blank.slice(equals + 1))?.[0].length ?? 0)
  if (blank[open] !== "{") return undefined
  const answers: Record<string, string> = {}
  readObject(text, blank, open, "", answers)
  return answers
}

/** The questions that still have the answer of the stub: those that nobody has answered. */
export const openQuestions = (answers: Answers, stub: Answers): ReadonlyArray<string> =>
  Object.keys(stub).filter((question) => answers[question] === undefined || answers[question] === stub[question])
