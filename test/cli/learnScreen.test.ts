import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import type { Catalogue, Progress, Verdict } from "effect-lifecycle/workbook"
import { stripVTControlCharacters } from "node:util"
import { editorOf } from "../../src/cli/internal/learnActions.ts"
import { hintFor, parseHints, taskFor } from "../../src/cli/internal/learnHints.ts"
import { render, type Row, rowLine, type ScreenState } from "../../src/cli/internal/learnScreen.ts"
import { fit, type Look, pieces, printedLines, wrap } from "../../src/cli/internal/learnText.ts"
import { type Language, languages } from "../../src/cli/messages/Messages.ts"

const exercise: Catalogue.Exercise = {
  manifest: {
    id: "03.4",
    title: "The attempt and the whole",
    level: 2,
    kind: "repair",
    teaches: [],
    needs: [],
    tasks: [
      { id: "a", title: "a healthy call is made once", points: 0 },
      { id: "b", title: "a hanging dependency is tried again", points: 2 },
      { id: "c", title: "the whole call ends by 3 s", points: 2 }
    ]
  },
  folder: "/course/03-retries/04-attempt",
  path: "03-retries/04-attempt",
  chapter: "03-retries",
  stub: "/course/03-retries/04-attempt/exercise.ts",
  spec: "/course/03-retries/04-attempt/exercise.spec.ts",
  solution: Option.none(),
  hints: Option.none(),
  alternatives: ["/course/03-retries/04-attempt/alternatives/other.ts"],
  mutants: [],
  given: [],
  version: "1"
}

const [a, b, c] = exercise.manifest.tasks

const verdict: Verdict.Verdict = {
  id: "03.4",
  file: "/work/03-retries/04-attempt/exercise.ts",
  outcome: "failed",
  passed: false,
  points: 0,
  maximum: 4,
  tasks: [
    { ...a, passed: true },
    {
      ...b!,
      passed: false,
      message: "At 1.0 s the first attempt should have been given up. Seen: 1 attempt, still waiting at 3.0 s.",
      line: 14
    },
    { ...c!, passed: false, message: "This task did not run." }
  ],
  types: { status: "passed", errors: [], durationMillis: 480 },
  output: "calling payments\n",
  tampered: false,
  ignored: [],
  durationMillis: 412
}

const entry: Progress.Entry = {
  solved: false,
  points: 0,
  attempts: 3,
  failures: 3,
  hints: { b: 1 },
  seen: false,
  predictions: []
}

const sum = { solved: 2, exercises: 5, points: 10, maximum: 22, open: 0 }

const state: ScreenState = {
  exercise,
  file: "workspace/03-retries/04-attempt/exercise.ts",
  lesson: "lessons/03-retries/lesson.md",
  entry,
  summary: {
    solved: 12,
    exercises: 45,
    points: 46,
    maximum: 216,
    open: 0,
    byChapter: new Map([["03-retries", sum]]),
    byLevel: new Map()
  },
  hints: 3,
  solutions: true,
  checking: false,
  verdict,
  checkedAt: "14:02:11",
  next: "03.5",
  notices: [],
  panel: { _tag: "None" },
  path: undefined
}

const solved: ScreenState = {
  ...state,
  entry: { ...entry, solved: true, hints: {} },
  verdict: {
    ...verdict,
    outcome: "passed",
    passed: true,
    points: 4,
    output: "",
    tasks: exercise.manifest.tasks.map((task) => ({ ...task, passed: true }))
  }
}

const look = (plain: boolean, lang: Language = "en", columns = 80): Look => ({
  columns,
  plain,
  words: languages[lang]
})

const drawn = (state: ScreenState, rows?: number) => render(state, look(false), rows)
const bare = (state: ScreenState, rows?: number) => drawn(state, rows).map((line) => stripVTControlCharacters(line))
const words = (state: ScreenState) => render(state, look(true))

const rows: ReadonlyArray<Row> = Array.from({ length: 50 }, (_, index) => ({
  id: `0${1 + Math.floor(index / 10)}.${index % 10}`,
  title: `Exercise ${index}`,
  chapter: "01-x",
  level: 1,
  points: index < 20 ? 2 : 0,
  maximum: 2,
  status: index < 20 ? "solved" : index === 20 ? "started" : "new",
  stale: index === 3,
  stretch: false
}))

describe("the watch screen", () => {
  it("shows what was seen and expected, the file's own output, and where the learner is", () => {
    assert.deepStrictEqual(bare(state), [
      " 03.4 The attempt and the whole                        level 2, 4 points, repair",
      " workspace/03-retries/04-attempt/exercise.ts",
      " lesson: lessons/03-retries/lesson.md",
      "",
      " ✓ a  a healthy call is made once                                  passed, guard",
      " ✗ b  a hanging dependency is tried again                         FAILED, 0 of 2",
      "      At 1.0 s the first attempt should have been given up. Seen: 1 attempt,",
      "      still waiting at 3.0 s. (exercise.ts:14)",
      " · c  the whole call ends by 3 s                                         not run",
      " ✓ types                                                           passed, 0.5 s",
      "",
      " Your output:",
      "   calling payments",
      "",
      " checked in 0.4 s, 14:02:11, attempt 3",
      "",
      " Chapter 3 ▇▇▇▁▁▁▁▁ 2 of 5   Course ▇▇▇▁▁▁▁▁▁▁▁▁ 12 of 45, 46 of 216 points",
      " n next (when it passes) · h hint 1 of 3 · s solution · l list · r run ·",
      " x reset · e edit · q quit"
    ])
  })

  it("says the same in words alone", () => {
    assert.deepStrictEqual(words(state), [
      "03.4 The attempt and the whole (level 2, 4 points, repair)",
      "workspace/03-retries/04-attempt/exercise.ts",
      "lesson: lessons/03-retries/lesson.md",
      "",
      "passed a: a healthy call is made once (guard)",
      "FAILED b: a hanging dependency is tried again (0 of 2 points)",
      "  At 1.0 s the first attempt should have been given up. Seen: 1 attempt, still",
      "  waiting at 3.0 s. (exercise.ts:14)",
      "not run c: the whole call ends by 3 s (0 of 2 points)",
      "passed: types",
      "",
      "Your output:",
      "  calling payments",
      "",
      "not passed yet: 0 of 4 points",
      "checked in 0.4 s, 14:02:11, attempt 3",
      "",
      "chapter 3: 2 of 5",
      "progress: 12 of 45, 46 of 216 points",
      "keys: n next (when it passes), h hint 1 of 3, s solution, l list, r run,",
      "x reset, e edit, q quit"
    ])
  })

  it("has a green line for a solved exercise, and says what n leads to", () => {
    const line = drawn(solved).find((line) => line.includes("Solved:"))
    assert.strictEqual(
      line,
      " \u001b[32mSolved: 4 of 4 points, no hints. Compare with another way: s. n for 03.5.\u001b[39m"
    )
    assert.include(words({ ...solved, next: undefined }).join(" "), "That was the last one.")
    assert.include(words({ ...solved, entry: { ...solved.entry, seen: true } }).join("\n"), "solution seen")
  })

  it("names what is wrong with the whole file, and with its types", () => {
    const types = {
      status: "failed",
      durationMillis: 300,
      errors: [{ line: 3, code: "TS2322", message: "No number." }]
    }
    const shown = words({ ...state, verdict: { ...verdict, problem: "It cannot be loaded.", line: 7, types } as never })
    assert.include(shown.join("\n"), "problem: It cannot be loaded. (exercise.ts:7)\n")
    assert.include(shown.join("\n"), "FAILED: types, 1 error\n  line 3: No number. (TS2322)")
  })

  it("shows how a long error of the compiler begins, and the end, where it says what it comes down to", () => {
    const detail = Array.from({ length: 12 }, (_, index) => `\n${"  ".repeat(index + 1)}Step ${index} down.`).join("")
    const types = {
      status: "failed",
      errors: [{ line: 3, code: "TS2345", message: `It does not fit.${detail}` }],
      durationMillis: 1
    }
    const shown = (lang: Language) =>
      render({ ...state, verdict: { ...verdict, types } as never }, look(true, lang)).join("\n")
    assert.include(
      shown("en"),
      "  line 3: It does not fit.\n    Step 0 down.\n      Step 1 down.\n  … 7 more lines …\n"
    )
    assert.match(shown("en"), /\n {22}Step 9 down\.\n {24}Step 10 down\.\n {26}Step 11 down\. \(TS2345\)\n/)
    assert.include(shown("de"), "  … 7 weitere Zeilen …\n")
  })

  it("writes numbers as the language does", () => {
    const shown = (lang: Language) => render(state, look(false, lang)).map((line) => stripVTControlCharacters(line))
    assert.include(shown("en").join("\n"), "checked in 0.4 s")
    assert.include(shown("de").join("\n"), "geprüft in 0,4 s")
    assert.isTrue(shown("de").some((line) => /Typen +bestanden, 0,5 s$/.test(line)))
  })

  it("says why tasks that passed have no points while a guard fails", () => {
    const tasks = [{ ...a!, passed: false, message: "It was made twice." }, { ...b!, passed: true }, {
      ...c!,
      passed: true
    }]
    const shown = (lang: Language) => render({ ...state, verdict: { ...verdict, tasks } }, look(true, lang)).join("\n")
    assert.include(shown("en"), "\nThe tests give 4 points; they count once a passes.\n")
    assert.include(shown("de"), "\nDie Tests ergeben 4 Punkte; das zählt, sobald a besteht.\n")
    assert.notInclude(words(state).join("\n"), "they count once")
  })

  it("opens the editor that was chosen, and takes what npm says for no choice", () => {
    const none = { editCmd: Option.none() }
    assert.strictEqual(editorOf({ editCmd: Option.some("code") }, { VISUAL: "vim" }), "code")
    assert.strictEqual(editorOf(none, { EDITOR: "vi" }), "vi")
    assert.strictEqual(editorOf(none, { EDITOR: "vi", npm_lifecycle_event: "learn" }), undefined)
    assert.strictEqual(editorOf(none, { EDITOR: "nano", npm_lifecycle_event: "learn" }), "nano")
    assert.strictEqual(editorOf(none, { EDITOR: "vi", VISUAL: "vim", npm_lifecycle_event: "learn" }), "vim")
    assert.strictEqual(editorOf(none, { VISUAL: "", EDITOR: "" }), undefined)
  })

  it("says what is wrong with the types before the tasks: a low window leaves out what stands below", () => {
    const types = {
      status: "failed",
      durationMillis: 300,
      errors: [{ line: 3, code: "TS2322", message: "No number." }]
    }
    const shown = render({ ...state, verdict: { ...verdict, types } as never }, look(false, "en"), 16).join("\n")
    assert.include(shown, "line 3: No number. (TS2322)")
    assert.include(shown, "more lines")
    assert.notInclude(render({ ...state, lesson: undefined }, look(false, "en")).join("\n"), "lesson:")
  })

  it("never needs more than 80 columns, whatever is in it", () => {
    const long = "a-word-of-the-compiler-that-never-ends".repeat(6)
    const wide: ScreenState = {
      ...state,
      file: `workspace/${long}`,
      notices: [long],
      panel: { _tag: "Hint", hint: { task: "b", tier: 1, of: 3, text: `Look at \`${long}\` and at the rest.` } },
      path: { title: "Two hours", step: 3, of: 8 },
      verdict: {
        ...verdict,
        problem: long,
        output: long,
        tasks: [{ ...b!, title: long, passed: false, message: long }]
      }
    }
    const list: ScreenState = { ...state, panel: { _tag: "List", rows, at: 30, pendingOnly: false } }
    const pages: ScreenState = { ...state, panel: { _tag: "Pages", title: "x", lines: [long, long], top: 0 } }
    for (const one of [state, solved, wide, list, pages]) {
      for (const line of [...bare(one), ...words(one)]) assert.isAtMost(Array.from(line).length, 80, line)
    }
  })

  const asked: ScreenState = { ...state, panel: { _tag: "Ask", what: "reset", question: "Put it back? (y/n)" } }
  const list: ScreenState = { ...state, panel: { _tag: "List", rows, at: 20, pendingOnly: false } }
  const open: ScreenState = {
    ...state,
    verdict: {
      ...verdict,
      outcome: "open",
      tasks: [{ ...b!, passed: false, open: true, message: "This task is open: it needs PostgreSQL." }]
    }
  }
  const broken: ScreenState = {
    ...state,
    verdict: {
      ...verdict,
      problem: "It cannot be loaded.",
      types: { status: "failed", errors: [{ line: 1, code: "TS1", message: "x" }], durationMillis: 1 },
      tasks: [{ ...a, passed: false, message: "No." }]
    }
  }

  // What somebody knows who sees no colour and hears no symbol.
  const told = (state: ScreenState, plain: boolean, lang: Language): string =>
    render(state, look(plain, lang)).map((line) => stripVTControlCharacters(line)).join("\n")
      .replaceAll(/[✓✗○·…▇▁>|]/g, "").replaceAll(/[ \n]+/g, " ")

  it.each([[false, "en"], [true, "en"], [false, "de"], [true, "de"]] as const)(
    "tells each state in words, without colours and symbols (plain: %s, language: %s)",
    (plain, lang) => {
      const words = languages[lang]
      const text = told(state, plain, lang)
      for (const word of [words.passed, words.failed, words.notRun, words.guard, words.types]) {
        assert.include(text, word)
      }
      assert.match(text, new RegExp(`${words.passed}[^.]*${words.failed}[^]*${words.notRun}`))
      assert.include(text, plain ? words.notPassed(0, 4) : words.of(0, 2))
      assert.include(text, words.keyHintOf(1, 3))
      assert.include(told(solved, plain, lang), words.solved(4, 4, words.noHintsUsed))
      assert.include(told(broken, plain, lang), words.problem("It cannot be loaded."))
      assert.include(told(broken, plain, lang), words.typeErrors(1))
      assert.include(told(open, plain, lang), words.open)
      assert.include(told({ ...state, checking: true }, plain, lang), words.checking("03.4").replace("…", "").trim())
      const listed = told(list, plain, lang)
      assert.include(listed, words.chosen("03.0"))
      assert.include(listed, words.statuses.started)
      if (!plain) { for (const word of [words.statuses.solved, words.statuses.new]) assert.include(listed, word) }
      assert.include(told(asked, plain, lang), words.keysAsk.join(plain ? ", " : " "))
    }
  )

  it("keeps to 80 columns in every language", () => {
    for (const lang of ["en", "de"] as const) {
      for (const one of [state, solved, asked, list, open, broken]) {
        for (const plain of [true, false]) {
          for (const line of render(one, look(plain, lang))) {
            assert.isAtMost(Array.from(stripVTControlCharacters(line)).length, 80, line)
          }
        }
      }
    }
  })

  it("offers no solution where there is none to see", () => {
    const hidden = words({ ...solved, solutions: false }).join(" ")
    assert.notInclude(hidden, "s solution")
    assert.notInclude(hidden, "Compare")
  })

  it("has no colour, no bar and no symbol that carries meaning in plain mode", () => {
    const asked: ScreenState = { ...state, panel: { _tag: "Ask", what: "reset", question: "Put it back? (y/n)" } }
    const list: ScreenState = { ...state, panel: { _tag: "List", rows, at: 0, pendingOnly: false } }
    for (const one of [state, solved, asked, list]) {
      // oxlint-disable-next-line no-control-regex
      assert.notMatch(words(one).join("\n"), /[\u0000-\u0009\u000b-\u001f✓✗·▇▁]/)
    }
    assert.strictEqual(
      rowLine(rows[3]!, look(true)),
      "01.3 Exercise 3: solved, stub has changed, level 1, 2 of 2 points"
    )
  })

  it("keeps to the height of the window, and leaves the keys on it", () => {
    const noisy = { ...state, verdict: { ...verdict, output: "x\n".repeat(30) } }
    const list: ScreenState = { ...state, panel: { _tag: "List", rows, at: 49, pendingOnly: false } }
    for (const one of [noisy, list]) {
      const shown = bare(one, 16)
      assert.isAtMost(shown.length, 16)
      assert.include(shown.at(-1), "q quit")
    }
    assert.include(bare(noisy, 16).join("\n"), "more lines: make the window higher")
    assert.include(bare(list, 16).join("\n"), ">· 05.9")
    const pending = bare({ ...list, panel: { _tag: "List", rows, at: 0, pendingOnly: true } })
    assert.strictEqual(pending[0], " 30 exercises left to do; chosen: 03.0")
    assert.match(pending[1]!, /^>… 03\.0 {2}Exercise 20 +started {2}level 1 {3}0\/2$/)
  })

  it("keeps to a narrow window, too", () => {
    for (const line of render(state, look(false, "en", 60))) {
      assert.isAtMost(Array.from(stripVTControlCharacters(line)).length, 60, line)
    }
  })

  it("says that it is checking", () => {
    assert.include(bare({ ...state, checking: true }).join("\n"), "checking 03.4 …")
  })
})

describe("text", () => {
  it("wraps words, keeps indents, and breaks what is too long", () => {
    assert.deepStrictEqual(wrap("one two three", 7), ["one two", "three"])
    assert.deepStrictEqual(wrap("  const x = 1", 20), ["  const x = 1"])
    assert.deepStrictEqual(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"])
    assert.deepStrictEqual(wrap("a\n\nb", 4), ["a", "", "b"])
  })

  it("breaks code without moving or losing anything", () => {
    assert.deepStrictEqual(pieces("+  const x", 4), ["+  c", "onst", " x"])
    assert.deepStrictEqual(pieces("", 4), [""])
  })

  it("leaves lines out above the footer", () => {
    assert.deepStrictEqual(fit(["a", "b", "c", "d", "e"], 4, 1, languages.en), [
      "a",
      "b",
      " … 2 more lines: make the window higher, or use --plain",
      "e"
    ])
  })
})

describe("what a program printed", () => {
  it("cannot move the cursor, clear the screen or colour what follows", () => {
    assert.deepStrictEqual(printedLines("\u001b[31mred\u001b[0m\r\n\u001b[2Jgone\u0007\tx\r\n"), ["red", "gone  x"])
  })
})

describe("hints", () => {
  const hints = parseHints(
    "# 03.4\n\n## b Title\n\n1. Which clock\n   first?\n2. Outside.\n\n## c Title\n\n1. Third.\n"
  )

  it("are read by task, an item's lines as one", () => {
    assert.deepStrictEqual([...hints], [["b", ["Which clock first?", "Outside."]], ["c", ["Third."]]])
  })

  it("go one tier on each time, and stay at the last", () => {
    assert.strictEqual(taskFor(hints, exercise, verdict), "b")
    assert.strictEqual(hintFor(hints, "b", { ...entry, hints: {} })?.tier, 1)
    assert.strictEqual(hintFor(hints, "b", entry)?.text, "Outside.")
    assert.strictEqual(hintFor(hints, "b", { ...entry, hints: { b: 2 } })?.tier, 2)
    assert.isUndefined(hintFor(hints, "b", entry, 4))
    assert.isUndefined(hintFor(hints, "a", entry))
  })
})
