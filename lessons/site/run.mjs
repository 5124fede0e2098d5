/**
 * `npm run lessons [-- --build]`: the lessons as a static site, with the pages of the rooms and the reference of every public
 * module beside them. Without `--build` it serves what it built.
 *
 * VitePress makes the site and TypeDoc the reference. Both live in the package of this folder, which is installed on the first
 * run, so that `npm ci` of the library stays small. (TypeDoc needs the compiler of TypeScript 6; 7 has no API yet.)
 */
import { spawnSync } from "node:child_process"
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"

const site = fileURLToPath(new URL(".", import.meta.url))
const root = join(site, "../..")
const pages = join(site, ".pages")

const { NODE_OPTIONS: _, ...env } = process.env
const run = (command, args, cwd = site) => {
  const { status } = spawnSync(command, args, {
    cwd,
    env,
    stdio: ["ignore", "inherit", "inherit"],
    shell: process.platform === "win32"
  })
  if (status !== 0) {
    process.stderr.write(`lessons: "${command} ${args.join(" ")}" failed in ${relative(root, cwd) || "."}\n`)
    process.exit(1)
  }
}
const tool = (name) => join(site, "node_modules/.bin", name)

/** Where a file of the repository stands on the site. */
const pageOf = (file) => {
  const lesson = /^lessons\/(\d\d-[^/]+)\/lesson\.md$/.exec(file)
  if (lesson !== null) return `lessons/${lesson[1]}.md`
  const room = /^src\/([^/]+)\/README\.md$/.exec(file)
  if (room !== null) return `rooms/${room[1]}.md`
  return {
    "README.md": "about.md",
    "CHANGELOG.md": "changelog.md",
    "lessons/README.md": "lessons/index.md",
    "lessons/TEACHING.md": "lessons/teaching.md",
    "lessons/sources.md": "lessons/sources.md"
  }[file]
}

/** Links between files of the repository become links between pages; of the rest the text stays. */
const relinked = (text, from, page) =>
  text.replace(/\[([^\]]+)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)/g, (_, label, path, anchor = "") => {
    const target = join(dirname(from), path).replaceAll("\\", "/").replace(/\/$/, "")
    const known = pageOf(target) ?? pageOf(`${target}/README.md`)
    if (known === undefined) return label
    const link = relative(dirname(page), known).replaceAll("\\", "/")
    return `[${label}](${link.startsWith(".") ? link : `./${link}`}${anchor})`
  })

const title = (text) => /^# (.+)$/m.exec(text)?.[1] ?? "effect-lifecycle"

const write = (page, text) => {
  mkdirSync(dirname(join(pages, page)), { recursive: true })
  // Vue would take {{ }} outside of code blocks for a template of its own.
  const parts = text.split(/(^```[\s\S]*?^```$)/m)
  writeFileSync(
    join(pages, page),
    parts.map((part, i) => i % 2 === 1 ? part : part.replaceAll("{{", "&#123;&#123;")).join("")
  )
}

const sources = () =>
  globSync(["README.md", "CHANGELOG.md", "lessons/*.md", "lessons/*/lesson.md", "src/*/README.md"], { cwd: root })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => pageOf(file) !== undefined)
    .sort()

const writePages = () => {
  rmSync(pages, { recursive: true, force: true })
  const titles = {}
  for (const file of sources()) {
    const page = pageOf(file)
    const text = readFileSync(join(root, file), "utf8")
    titles[page] = title(text)
    write(page, relinked(text, file, page))
  }
  return titles
}

const writeReference = () => {
  const rooms = globSync("src/*/index.ts", { cwd: root }).map((file) => basename(dirname(file))).sort()
  const modules = rooms.flatMap((room) =>
    globSync(`src/${room}/*.ts`, { cwd: root }).map((file) => file.replaceAll("\\", "/"))
  ).filter((file) => basename(file) !== "index.ts").sort()
  run(tool("typedoc"), [
    ...modules.flatMap((file) => ["--entryPoints", join(root, file)]),
    "--plugin",
    "typedoc-plugin-markdown",
    "--tsconfig",
    join(site, "tsconfig.typedoc.json"),
    "--out",
    join(pages, "api"),
    "--name",
    "Reference",
    "--readme",
    "none",
    "--skipErrorChecking",
    "--excludeInternal",
    "--excludeTags",
    "@since",
    "--excludePrivate",
    "--disableSources",
    "--hidePageHeader",
    "true",
    "--hideBreadcrumbs",
    "true",
    "--entryFileName",
    "index",
    "--outputFileStrategy",
    "modules",
    "--logLevel",
    "Error"
  ])
  const names = modules.map((file) => file.replace(/^src\//, "").replace(/\.ts$/, ""))
  for (const name of names) {
    const page = `api/${name}.md`
    const reference = readFileSync(join(pages, page), "utf8")
    const header = headerOf(readFileSync(join(root, "src", `${name}.ts`), "utf8"))
    write(page, reference.replace(/^(# .+)$/m, (heading) => `${heading}\n\n${header}`))
  }
  return names
}

/** The comment at the head of a module, which TypeDoc leaves out before imports, as Markdown. */
const headerOf = (source) => {
  const comment = /^\/\*\*([\s\S]*?)\*\//.exec(source)?.[1] ?? ""
  return comment
    .split("\n")
    .map((line) => line.replace(/^ \* ?/, ""))
    .join("\n")
    .replace(/^@since .*$/gm, "")
    .replace(/^@example$/gm, "**Example**\n")
    .replace(/\{@link ([^}]+)\}/g, "`$1`")
    .trim()
}

if (!existsSync(join(site, "node_modules/vitepress"))) run("npm", ["install", "--no-audit", "--no-fund"])
const titles = writePages()
const modules = writeReference()
const inOrder = (prefix) =>
  Object.keys(titles).filter((page) => page.startsWith(prefix)).sort()
    .map((page) => ({ text: titles[page], link: `/${page.replace(/\.md$/, "")}` }))
const lessons = inOrder("lessons/").filter(({ link }) => /\/\d\d-/.test(link))
const groups = new Map()
for (const module of modules) {
  const [room, name] = module.split("/")
  groups.set(room, [...(groups.get(room) ?? []), { text: name, link: `/api/${module}` }])
}
writeFileSync(
  join(pages, "nav.json"),
  JSON.stringify({
    lessons,
    rooms: inOrder("rooms/"),
    api: [...groups].map(([text, items]) => ({ text, collapsed: true, items }))
  })
)
write(
  "index.md",
  `---
layout: home
hero:
  name: effect-lifecycle
  text: The request lifecycle for Effect 4
  tagline: Eleven lessons on the library itself, and the reference of every module.
  actions:
    - theme: brand
      text: Begin with the road
      link: ${lessons[0]?.link ?? "/lessons/"}
    - theme: alt
      text: The library
      link: /about
---
`
)
cpSync(join(site, "config.mjs"), join(pages, ".vitepress/config.mjs"))
run(tool("vitepress"), ["build", pages])
if (!process.argv.includes("--build")) run(tool("vitepress"), ["preview", pages, "--port", "4180"])
