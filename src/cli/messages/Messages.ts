/**
 * The languages that `learn` and `doctor` speak, and which one is wanted.
 *
 * A language is an object with the shape of the English one, so a sentence that is missing is a compile error. What a spec
 * or the grader says about an answer belongs to the course, and comes in the course's language.
 */
import { de } from "./de.ts"
import { en } from "./en.ts"

/**
 * All sentences of one language.
 *
 * @category models
 * @since 0.1.0
 */
export type Messages = typeof en

/**
 * The languages, by their code.
 *
 * @category models
 * @since 0.1.0
 */
export const languages = { en, de } satisfies Readonly<Record<string, Messages>>

/**
 * The code of a language.
 *
 * @category models
 * @since 0.1.0
 */
export type Language = keyof typeof languages

/**
 * The codes of all languages.
 *
 * @category models
 * @since 0.1.0
 */
export const codes: ReadonlyArray<Language> = ["en", "de"]

/**
 * The language that is asked for: by the flag, else by the first of LEARN_LANG, LC_ALL, LC_MESSAGES and LANG that says
 * something; English where none does, or where it is one that we do not speak.
 *
 * @category getters
 * @since 0.1.0
 */
export const choose = (
  flag: Language | undefined,
  env: Readonly<Record<string, string | undefined>>
): Messages => {
  if (flag !== undefined) return languages[flag]
  const said = [env.LEARN_LANG, env.LC_ALL, env.LC_MESSAGES, env.LANG].find((word) => word !== undefined && word !== "")
  const code = said?.toLowerCase().split(/[^a-z]/)[0]
  return languages[codes.find((one) => one === code) ?? "en"]
}
