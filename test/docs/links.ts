/** Links of the pages, and whether they lead somewhere. */
import { existsSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { root } from "./fences.ts"

/** Without what stands in fences and in code. */
const prose = (text: string): string => text.replace(/^ *(```|~~~)[^]*?^ *\1/gm, "").replace(/`[^`\n]*`/g, "")

export const linksOf = (text: string): Array<string> =>
  Array.from(text.matchAll(/\]\(([^)]+)\)/g), (match) => match[1] ?? "")

/** The anchors of a page, made as GitHub makes them. */
const anchorsOf = (file: string): Array<string> =>
  prose(readFileSync(file, "utf8")).split("\n").filter((line) => /^#+ /.test(line)).map((line) =>
    line.replace(/^#+ /, "").toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
  )

/** What is wrong with the links of a page. */
export const faultsOf = (file: string, text: string): Array<string> =>
  linksOf(prose(text)).filter((link) => !/^https?:/.test(link)).flatMap((link) => {
    const [path = "", anchor] = link.split("#")
    const target = path === "" ? file : join(dirname(file), path)
    if (!existsSync(target)) return [`${relative(root, file)}: ${link} leads nowhere`]
    return anchor === undefined || anchorsOf(target).includes(anchor)
      ? []
      : [`${relative(root, file)}: ${link}: there is no such heading`]
  })
