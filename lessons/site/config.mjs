import { readFileSync } from "node:fs"

const nav = JSON.parse(readFileSync(new URL("../nav.json", import.meta.url), "utf8"))

/** An anchor as GitHub makes it: the links between the files are written for both. */
const slugify = (heading) =>
  heading.trim().toLowerCase().replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\s-]/gu, "").replaceAll(/\s/g, "-")

export default {
  title: "effect-lifecycle",
  description: "The request lifecycle for Effect 4: lessons, rooms and the reference of every module",
  cleanUrls: true,
  ignoreDeadLinks: false,
  outDir: "../dist",
  cacheDir: "../.cache",
  markdown: { anchor: { slugify } },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    nav: [
      { text: "Lessons", link: "/lessons/" },
      { text: "Rooms", link: nav.rooms[0]?.link ?? "/about" },
      { text: "Reference", link: "/api/" },
      { text: "About", link: "/about" }
    ],
    sidebar: {
      "/lessons/": [{ text: "Lessons", items: [{ text: "All of them", link: "/lessons/" }, ...nav.lessons] }],
      "/rooms/": [{ text: "Rooms", items: nav.rooms }],
      "/api/": nav.api
    }
  }
}
