/** A file of text, and in words what is wrong where there is none to be had. */
import { Result } from "effect"
import { readFileSync } from "node:fs"
import { resolve } from "node:path"

const whyNot = (file: string, error: unknown): string => {
  const code = error instanceof Error && "code" in error ? error.code : undefined
  switch (code) {
    case "ENOENT":
      return `There is no file ${file}`
    case "EISDIR":
      return `${file} is a folder, not a file`
    case "EACCES":
    case "EPERM":
      return `${file} cannot be read: this user has no right to`
    default:
      return `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** Without the mark that some editors put before UTF-8. */
export const read = (file: string): Result.Result<string, string> => {
  const path = resolve(file)
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    return Result.fail(whyNot(path, error))
  }
  try {
    return Result.succeed(new TextDecoder("utf-8", { fatal: true }).decode(bytes))
  } catch {
    return Result.fail(`${path} is not text in UTF-8`)
  }
}
