/** The watch screen: waits for keys and saves, checks, and draws. */
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import { DateTime, Duration, Effect, FiberHandle, Option, Queue, type Scope, Stream, type Terminal } from "effect"
import { existsSync, type FSWatcher, readFileSync, watch as watchFolder } from "node:fs"
import { dirname } from "node:path"
import type { Exercise } from "../../workbook/Catalogue.ts"
import { Grader } from "../../workbook/Grader.ts"
import * as Progress from "../../workbook/Progress.ts"
import type { Verdict } from "../../workbook/Verdict.ts"
import * as Workspace from "../../workbook/Workspace.ts"
import { edit, hiddenLines, resetSentence, solutionLines } from "./learnActions.ts"
import { hintFor, hintsOf, taskFor } from "./learnHints.ts"
import { isDone, type Path, placeOn, resultOf, type Step } from "./learnPath.ts"
import { chosenIn, type Panel, render, type ScreenState } from "./learnScreen.ts"
import {
  command,
  isHidden,
  lookOf,
  progressOf,
  record,
  rowsOf,
  type Session,
  stateOf,
  summaryOf
} from "./learnSession.ts"
import { block, pieces } from "./learnText.ts"

type Event =
  | { readonly _tag: "Key"; readonly name: string }
  | { readonly _tag: "Saved" }
  | { readonly _tag: "Checked"; readonly exercise: Exercise; readonly verdict: Verdict }
  | { readonly _tag: "Resized" }
  | { readonly _tag: "End" }

const none: Panel = { _tag: "None" }

/** Editors write a file in several steps; one check is enough for all of them. */
const settle = Duration.millis(120)
const pollEvery = Duration.millis(300)

const textOf = (file: string): string | undefined => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return undefined
  }
}

/** Says that a file may have been saved. The folder is watched, because editors replace files. */
const watchFile = (file: string, polling: boolean): Stream.Stream<void> => {
  const polled = Stream.tick(pollEvery)
  if (polling) return polled
  return Stream.callback<void>((queue) =>
    Effect.acquireRelease(
      Effect.sync((): FSWatcher | undefined => {
        try {
          const watcher = watchFolder(dirname(file), () => void Queue.offerUnsafe(queue, undefined))
          watcher.on("error", () => watcher.close())
          return watcher
        } catch {
          // Some network drives and containers cannot watch: the key r works there, and so does --poll.
          return undefined
        }
      }),
      (watcher) => Effect.sync(() => watcher?.close())
    )
  ).pipe(Stream.debounce(settle))
}

const keyName = ({ input, key }: Terminal.UserInput): string => {
  if (key.ctrl && (key.name === "c" || key.name === "d")) return "q"
  if (["up", "down", "return", "enter", "space", "escape"].includes(key.name)) return key.name
  return Option.getOrElse(input, () => key.name).toLowerCase()
}

/** Keys and sizes of the terminal as events; Ctrl+C is the key q. */
const listen = Effect.fnUntraced(function*(
  events: Queue.Queue<Event>
): Effect.fn.Return<void, never, Scope.Scope> {
  const terminal = yield* NodeTerminal.make(() => false)
  const keys = yield* terminal.readInput
  yield* Effect.forkScoped(
    Stream.fromQueue(keys).pipe(
      Stream.map(keyName),
      // A pipe on Windows ends its lines with both, which is one press of Enter.
      Stream.mapAccum(() => "", (before, name) => [name, before === "return" && name === "enter" ? [] : [name]]),
      Stream.runForEach((name) => Queue.offer(events, { _tag: "Key", name })),
      Effect.ensuring(Queue.offer(events, { _tag: "End" }))
    )
  )
  const sizes = yield* terminal.size
  yield* Effect.forkScoped(
    Stream.fromQueue(sizes).pipe(
      Stream.drop(1),
      Stream.runForEach(() => Queue.offer(events, { _tag: "Resized" }))
    )
  )
})

const print = (text: string): void => void process.stdout.write(text)

/** Draws over what stands there, or, in plain words, says what is new. */
const drawer = (session: Session) => {
  let before: ReadonlyArray<string> = []
  return (state: ScreenState): void => {
    const look = lookOf(session)
    if (!look.plain) {
      const lines = render(state, look, process.stdout.rows || 24)
      print(`\u001b[H${lines.map((line) => `${line}\u001b[K`).join("\r\n")}\u001b[J`)
      return
    }
    const lines = render(state, look)
    if (lines.join("\n") === before.join("\n")) return
    before = lines
    print(`${lines.filter((line) => line !== "").join("\n")}\n\n`)
  }
}

/** Takes the screen for as long as the scope lasts, and gives the terminal back as it was. */
const ownScreen = (session: Session): Effect.Effect<void, never, Scope.Scope> =>
  lookOf(session).plain
    ? Effect.void
    : Effect.acquireRelease(
      Effect.sync(() => print("\u001b[?1049h\u001b[?25l")),
      () => Effect.sync(() => print("\u001b[?25h\u001b[?1049l"))
    )

/** Runs until the learner quits, or the path ends. */
export const watch = Effect.fnUntraced(function*(
  session: Session,
  start: Exercise,
  path: Path | undefined
): Effect.fn.Return<void, Workspace.WorkspaceProblem, Grader | Scope.Scope> {
  const { catalogue, options, words, workspace } = session
  const grader = yield* Grader
  const events = yield* Queue.unbounded<Event>()
  const checks = yield* FiberHandle.make<void>()
  const watching = yield* FiberHandle.make<void>()
  const opened = yield* progressOf(session)
  const choices = path?.steps.flatMap((one) => one.kind === "exercise" ? [one.exercise] : []) ?? session.exercises
  let progress = opened.progress
  let step: Step | undefined = path?.steps[placeOn(path, progress)]
  let exercise = start
  let checkedText: string | undefined
  const quit = { now: false }
  let state = stateOf(session, exercise, progress)
  const draw = drawer(session)

  /** Brings up to date what the progress decides. */
  const refresh = (change: Partial<ScreenState>): void => {
    const fresh = stateOf(session, exercise, progress)
    const index = step === undefined || path === undefined ? 0 : path.steps.indexOf(step)
    const onPath = path === undefined ? undefined : { title: path.title, step: index + 1, of: path.steps.length }
    const after = path === undefined || step === undefined ? undefined : path.steps[index + 1]
    const next = path === undefined
      ? fresh.next
      : after?.kind === "exercise"
      ? after.exercise.manifest.id
      : after?.title ?? words.theEnd
    state = { ...state, entry: fresh.entry, summary: fresh.summary, hints: fresh.hints, next, path: onPath, ...change }
  }

  const check = Effect.gen(function*() {
    checkedText = textOf(Workspace.fileOf(workspace, exercise))
    refresh({ checking: true, panel: none, notices: [] })
    const subject = { exercise, file: Workspace.fileOf(workspace, exercise), types: options.typecheck }
    yield* FiberHandle.run(
      checks,
      Effect.flatMap(
        grader.check(subject),
        (verdict) => Queue.offer(events, { _tag: "Checked", exercise: subject.exercise, verdict })
      )
    )
  })

  const go = Effect.fnUntraced(function*(to: Exercise, notices: ReadonlyArray<string> = []) {
    exercise = to
    step = path?.steps.find((one) => one.kind === "exercise" && one.exercise === to) ?? step
    progress = yield* Progress.update(workspace, Progress.movedTo(to.manifest.id))
    const file = Workspace.fileOf(workspace, to)
    if (!existsSync(file)) yield* Workspace.prepare(workspace, [to])
    yield* FiberHandle.run(
      watching,
      Stream.runForEach(watchFile(file, options.poll), () => Queue.offer(events, { _tag: "Saved" }))
    )
    state = stateOf(session, to, progress)
    yield* check
    const newer = (yield* Workspace.stateOf(workspace, to)) === "outdated"
      ? [words.newerStub]
      : []
    refresh({ notices: [...notices, ...newer] })
  })

  const reading = (at: Extract<Step, { kind: "reading" }>): Effect.Effect<void> =>
    Effect.gen(function*() {
      yield* FiberHandle.clear(watching)
      yield* FiberHandle.clear(checks)
      refresh({ checking: false, verdict: undefined })
      const lines = ["", at.title, "", at.todo].flatMap((line) => block(line, 1, lookOf(session).columns))
      refresh({
        panel: {
          _tag: "Pages",
          title: path?.title ?? "",
          lines: lines.map((line) => ` ${line}`),
          top: 0,
          reading: true
        }
      })
    })

  const enter = (at: Step) => at.kind === "exercise" ? go(at.exercise) : reading(at)

  const onward = Effect.gen(function*() {
    if (path !== undefined && step !== undefined) {
      if (step.kind === "reading") progress = yield* Progress.update(workspace, Progress.ticked(path.name, step.key))
      else if (!isDone(path, step, progress)) return refresh({ notices: [words.notSolved] })
      step = path.steps[path.steps.indexOf(step) + 1]
      if (step === undefined) {
        quit.now = true
        return
      }
      return yield* enter(step)
    }
    if (!state.entry.solved && state.verdict?.outcome !== "open") {
      return refresh({ notices: [words.notSolvedList] })
    }
    const next = Progress.next(progress, session.exercises, exercise.manifest.id)
    if (next === undefined) return refresh({ notices: [words.lastSolved] })
    yield* go(next)
  })

  const hint = Effect.gen(function*() {
    const hints = hintsOf(exercise)
    const task = taskFor(hints, exercise, state.verdict)
    const found = task === undefined ? undefined : hintFor(hints, task, state.entry)
    if (found === undefined) return refresh({ notices: [words.noHintsHere] })
    progress = yield* Progress.update(workspace, Progress.hinted(exercise.manifest.id, found.task, found.tier))
    refresh({ panel: { _tag: "Hint", hint: found }, notices: [] })
  })

  const solution = Effect.gen(function*() {
    const solved = state.entry.solved
    if (!state.solutions) return refresh({ panel: none, notices: [words.noSolution] })
    if (!solved) progress = yield* Progress.update(workspace, Progress.looked(exercise.manifest.id))
    const { columns } = lookOf(session)
    const lines = solutionLines(session, exercise, solved).flatMap((line) => pieces(line, columns))
    refresh({ panel: { _tag: "Pages", title: `${exercise.manifest.id} ${exercise.manifest.title}`, lines, top: 0 } })
  })

  const keys: Readonly<Record<string, Effect.Effect<void, Workspace.WorkspaceProblem>>> = {
    n: onward,
    h: hint,
    s: Effect.suspend(() => {
      if (isHidden(session, exercise)) {
        return Effect.sync(() => refresh({ panel: none, notices: [hiddenLines(session).join(" ")] }))
      }
      if (state.entry.solved || state.entry.seen || !state.solutions) return solution
      return Effect.sync(() =>
        refresh({ panel: { _tag: "Ask", what: "solution", question: words.askSolutionKey }, notices: [] })
      )
    }),
    l: Effect.sync(() => {
      const rows = rowsOf(choices, progress)
      const at = Math.max(0, choices.indexOf(exercise))
      refresh({ panel: { _tag: "List", rows, at, pendingOnly: false } })
    }),
    r: Effect.suspend(() => {
      const missed = !options.poll && textOf(Workspace.fileOf(workspace, exercise)) !== checkedText
      const notices = missed
        ? [words.saveMissed]
        : []
      return Effect.andThen(check, Effect.sync(() => refresh({ notices })))
    }),
    x: Effect.sync(() => {
      refresh({ panel: { _tag: "Ask", what: "reset", question: words.askResetKey }, notices: [] })
    }),
    k: Effect.gen(function*() {
      yield* Workspace.keep(workspace, exercise)
      refresh({ notices: [words.fileStays] })
    }),
    e: Effect.gen(function*() {
      const problem = yield* edit(session, Workspace.fileOf(workspace, exercise))
      if (!lookOf(session).plain) print("\u001b[?1049h\u001b[?25l\u001b[2J")
      refresh({ notices: problem === undefined ? [] : [problem] })
    }),
    escape: Effect.sync(() => refresh({ panel: none, notices: [] }))
  }

  const answer = Effect.fnUntraced(function*(what: "reset" | "solution", name: string) {
    refresh({ panel: none })
    if (name !== "y" && name !== words.yesKey) return
    if (what === "solution") return yield* solution
    const done = yield* Workspace.reset(workspace, [exercise])
    yield* check
    refresh({ notices: done.map((one) => resetSentence(words, one)) })
  })

  const scroll = (name: string, at: number, last: number, page: number): number | undefined => {
    const by = name === "down" || name === "j" ?
      1 :
      name === "up" || name === "k" ?
      -1 :
      name === "space" || name === " "
      ? page
      : undefined
    return by === undefined ? undefined : Math.max(0, Math.min(last, at + by))
  }

  const inPanel = Effect.fnUntraced(function*(panel: Panel, name: string) {
    if (panel._tag === "Ask") return yield* answer(panel.what, name)
    if (panel._tag === "Pages") {
      if (step?.kind === "reading" && name === "n") return yield* onward
      const top = scroll(name, panel.top, panel.lines.length - 1, 15)
      if (top !== undefined) return refresh({ panel: { ...panel, top } })
      if (step?.kind !== "reading") refresh({ panel: none })
      return
    }
    if (panel._tag !== "List") return
    const at = scroll(name, panel.at, panel.rows.length - 1, 10)
    const chosen = chosenIn(panel)
    if (at !== undefined) {
      const moved = { ...panel, at }
      return refresh({ panel: chosenIn(moved) === undefined ? panel : moved })
    }
    if (name === "p") return refresh({ panel: { ...panel, pendingOnly: !panel.pendingOnly, at: 0 } })
    if (name === "return" || name === "enter") {
      const to = catalogue.exercises.find(({ manifest }) => manifest.id === chosen?.id)
      if (to !== undefined) return yield* go(to)
    }
    refresh({ panel: none })
  })

  const handle = Effect.fnUntraced(function*(event: Event) {
    switch (event._tag) {
      case "Saved":
        if (step?.kind === "reading" || textOf(Workspace.fileOf(workspace, exercise)) === checkedText) return
        return yield* check
      case "Checked": {
        if (event.exercise !== exercise) return
        progress = yield* record(session, exercise, event.verdict)
        const now = yield* DateTime.now
        const zoned = DateTime.setZone(now, DateTime.zoneMakeLocal())
        const checkedAt = DateTime.formatIsoZoned(zoned).slice(11, 19)
        const failures = Progress.entryOf(progress, exercise.manifest.id).failures
        const id = exercise.manifest.id
        const ask = failures > 0 && failures % 5 === 0
          ? [words.predictNow(failures, command(`predict ${id}`))]
          : []
        return refresh({ checking: false, verdict: event.verdict, checkedAt, notices: [...state.notices, ...ask] })
      }
      case "Key": {
        if (event.name === "q") {
          quit.now = true
          return
        }
        // What is typed while a check runs was meant for what stood there before.
        if (state.checking) return
        const { panel } = state
        if (panel._tag === "Ask" || panel._tag === "Pages" || panel._tag === "List") {
          return yield* inPanel(panel, event.name)
        }
        const known = keys[event.name]
        if (known !== undefined) yield* known
        return
      }
      case "Resized":
      case "End":
    }
  })

  if (path === undefined || step !== undefined) {
    yield* ownScreen(session)
    yield* listen(events)
    const notices = opened.notice === undefined ? [] : [opened.notice]
    if (step === undefined) yield* go(start, notices)
    else yield* enter(step)
    draw(state)
    let open = true
    while (!quit.now && (open || state.checking)) {
      const event = yield* Queue.take(events)
      if (event._tag === "End") open = false
      yield* handle(event)
      if (!quit.now) draw(state)
    }
  }
})

/** What is printed when the watch screen has closed. */
export const farewell = Effect.fnUntraced(function*(
  session: Session,
  path: Path | undefined
): Effect.fn.Return<string, Workspace.WorkspaceProblem> {
  const { progress } = yield* progressOf(session)
  if (path !== undefined) return resultOf(session.words, path, progress).join("\n")
  const { exercises, maximum, points, solved } = summaryOf(session, progress)
  const { words } = session
  return `${words.farewell(solved, exercises, points, maximum)}\n${words.progressKept(command())}`
})
