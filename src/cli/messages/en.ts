/** Everything that `learn` and `doctor` say, in English. The other languages have the shape of this one. */

const count = (number: number, one: string, more = `${one}s`): string => `${number} ${number === 1 ? one : more}`
const points = (number: number): string => count(number, "point")
const exercises = (number: number): string => count(number, "exercise")

/** @internal */
export const en = {
  points,
  exercises,
  attempts: (number: number): string => count(number, "attempt"),
  hints: (number: number): string => count(number, "hint"),

  // What a task, a file or an exercise is.
  passed: "passed",
  failed: "FAILED",
  open: "open, needs PostgreSQL",
  notRun: "not run",
  guard: "guard",
  statuses: { new: "new", started: "started", open: "open", solved: "solved" },
  stale: "solved, stub has changed",
  stretch: "stretch",
  level: (level: number): string => `level ${level}`,
  kinds: {
    identify: "identify",
    predict: "predict",
    complete: "complete",
    repair: "repair",
    build: "build",
    "write-the-test": "write the test"
  },
  about: (level: number, maximum: number, kind: string): string => `level ${level}, ${points(maximum)}, ${kind}`,
  of: (part: number, all: number): string => `${part} of ${all}`,
  ofPoints: (part: number, all: number): string => `${part} of ${points(all)}`,

  // The watch screen.
  checking: (id: string): string => `checking ${id} …`,
  lessonAt: (file: string): string => `lesson: ${file}`,
  notChecked: "not checked yet",
  took: (seconds: string): string => `${seconds} s`,
  checkedIn: (took: string, time: string, attempt: number): string => `checked in ${took}, ${time}, attempt ${attempt}`,
  withheld: (earned: number, guards: ReadonlyArray<string>): string =>
    `The tests give ${points(earned)}; they count once ${guards.join(" and ")} ${
      guards.length === 1 ? "passes" : "pass"
    }.`,
  notPassed: (part: number, all: number): string => `not passed yet: ${part} of ${points(all)}`,
  problem: (sentence: string): string => `problem: ${sentence}`,
  types: "types",
  typesNotChecked: "types: not checked",
  typesNotCheckedBecause: (reason: string): string => `types not checked: ${reason}`,
  typeErrors: (number: number): string => count(number, "error"),
  typeError: (line: number, message: string, code: string): string => `line ${line}: ${message} (${code})`,
  moreOfError: (lines: number): string => `… ${count(lines, "more line")} …`,
  moreErrors: (number: number): string => `and ${count(number, "more error")}`,
  yourOutput: "Your output:",
  yourLastOutput: (shown: number, all: number): string => `Your output (the last ${shown} of ${all} lines):`,
  ownTests: (number: number): string => `${count(number, "test")} of your own counted for nothing.`,
  solved: (part: number, all: number, how: string): string => `Solved: ${part} of ${points(all)}, ${how}.`,
  solutionSeen: "solution seen",
  noHintsUsed: "no hints",
  compareOther: "Compare with another way: s.",
  compare: "Compare: s.",
  keyFor: (next: string): string => `n for ${next}.`,
  wasLast: "That was the last one.",
  chapterBar: (chapter: number): string => `Chapter ${chapter}`,
  courseBar: "Course",
  chapterIs: (chapter: number, solved: number, all: number): string => `chapter ${chapter}: ${solved} of ${all}`,
  progressIs: (solved: number, all: number, part: number, maximum: number): string =>
    `progress: ${solved} of ${all}, ${part} of ${points(maximum)}`,
  step: (step: number, all: number): string => `step ${step} of ${all}`,
  moreLines: (number: number): string => `${number} more lines: make the window higher, or use --plain`,
  keys: "keys:",
  keyNext: "n next",
  keyNextLater: "n next (when it passes)",
  keyHint: "h hint",
  keyHintOf: (read: number, all: number): string => `h hint ${read} of ${all}`,
  keySolution: "s solution",
  keysAlways: ["l list", "r run", "x reset", "e edit", "q quit"],
  keysList: ["up/down or j/k choose", "Enter open", "p only what is left", "l back", "q quit"],
  keysPages: ["up/down or j/k scroll", "space next page", "s back", "q quit"],
  keysReading: ["up/down or j/k scroll", "n next", "q quit"],
  keysAsk: ["y yes", "any other key: no"],
  yesKey: "y",
  yes: "yes",
  no: "no",
  listed: (number: number, pendingOnly: boolean): string => `${exercises(number)}${pendingOnly ? " left to do" : ""}`,
  chosen: (id: string): string => `chosen: ${id}`,
  allSolved: "Everything is solved.",
  newerStub:
    "The course has a newer stub than the one you began with: x takes it (yours is kept aside), k keeps yours.",
  notSolved: "Not solved yet. h gives a hint.",
  notSolvedList: "Not solved yet. h gives a hint; l lets you choose another exercise.",
  lastSolved: "That was the last one: everything is solved.",
  noHintsHere: "There are no hints for this one.",
  askSolutionKey: "Show the solution before it is solved? It is noted as seen, and you can still solve it. (y/n)",
  saveMissed: "The save was not noticed by itself. Starting with --poll helps where that happens.",
  askResetKey: "Put the stub back? What you wrote is kept aside in the workspace. (y/n)",
  fileStays: "Your file stays as it is.",
  predictNow: (failures: number, command: string): string =>
    `${failures} checks in a row. Before the next one, say what you expect: ${command}`,
  theEnd: "the end",
  farewell: (solved: number, all: number, part: number, maximum: number): string =>
    `${solved} of ${exercises(all)}, ${part} of ${points(maximum)}.`,
  progressKept: (command: string): string => `Your progress is kept; go on with \`${command}\`.`,

  // Hints and solutions.
  hint: (tier: number, all: number, text: string): string => `Hint ${tier} of ${all}: ${text}`,
  hintFor: (task: string, tier: number, all: number, text: string): string =>
    `Hint ${tier} of ${all} for ${task}: ${text}`,
  noHints: (id: string): string => `There are no hints for ${id}.`,
  noSuchHint: (id: string, there: string): string => `There is no such hint for ${id}. There are hints for ${there}.`,
  hintTiers: (task: string, tiers: number): string => `${task} (1 to ${tiers})`,
  noSolution: "This course holds no solution of it.",
  hidden: (title: string): string => `The instructor has hidden the solutions of "${title}".`,
  hiddenDue: (due: string): string => `It is due: ${due}. Ask your instructor when they will be shown.`,
  hiddenNoDue: "Ask your instructor when they will be shown.",
  solutionIs: (file: string): string => `The solution: ${file}`,
  anotherWay: (file: string): string => `Another way that passes: ${file}`,
  sameAsYours: "Yours is the same, line for line.",
  diffLegend: "Lines with - are yours, lines with + are the solution's.",
  diffYours: "yours",
  diffSolution: "solution",
  askSolution: (id: string): string => `${id} is not solved yet. Show the solution, and note it as seen?`,
  yesForSolution: (id: string): string =>
    `${id} is not solved yet. To see the solution all the same, and have it noted: add --yes.`,

  // Editors and resets.
  noEditor: (file: string): string =>
    `No editor is known: start with --edit-cmd, such as --edit-cmd "code --goto", or set VISUAL. The file: ${file}`,
  editorFailed: (editor: string, reason: string, file: string): string =>
    `\`${editor}\` did not work (${reason}). The file: ${file}`,
  exitCode: (code: string): string => `exit code ${code}`,
  wasStub: (id: string, file: string): string => `${id}: ${file} was the stub already.`,
  stubBack: (id: string, backup: string): string => `${id}: the stub is back. What you had is in ${backup}.`,
  stubsBack: (names: string): string => `${names}: the stubs are back.`,
  nameOrAllReset: "Name an exercise or a chapter, or say --all.",
  askReset: (names: string): string => `Put the stub of ${names} back? What you wrote is kept aside.`,
  yesForReset: (names: string): string => `This puts ${names} back. Add --yes.`,
  keeps: (names: string, files: number): string =>
    `${names}: your ${files === 1 ? "file stays as it is" : "files stay as they are"}.`,

  // Lists, lessons, progress and paths.
  chapter: (chapter: number, name: string): string => `Chapter ${chapter}: ${name}`,
  solvedOf: (solved: number, all: number, part: number, maximum: number): string =>
    `${solved} of ${all} solved, ${part} of ${points(maximum)}`,
  chapterSum: (chapter: number, name: string, sum: string): string => `Chapter ${chapter}, ${name}: ${sum}`,
  levelSum: (level: number, sum: string): string => `Level ${level}: ${sum}`,
  mastered: "mastered",
  sum: (solved: number, all: number, part: number, maximum: number): string =>
    `${solved} of ${exercises(all)}, ${part} of ${points(maximum)}`,
  next: (exercise: string): string => `Next: ${exercise}`,
  assignment: (title: string): string => `Assignment: ${title}`,
  due: (due: string): string => `Due: ${due}`,
  noLesson: (word: string): string => `There is no lesson ${word}. Lessons go by their chapter, such as 2.`,
  lesson: (heading: string): string => `Lesson ${heading}`,
  readThenNext: (file: string): string => `Read ${file}, then press n.`,
  tour: (name: string | undefined): string => name === undefined ? "The tour" : `The tour ${name}`,
  tourThenNext: "In another terminal, run `npm start`: it shows real requests on their road. Then press n.",
  noPaths: (name: string, folder: string): string =>
    `There is no path ${name}: this course has none (they would lie in ${folder}).`,
  noPath: (name: string, names: ReadonlyArray<string>): string =>
    `There is no path ${name}. There ${names.length === 1 ? "is" : "are"}: ${names.join(", ")}.`,
  pathNoExercise: (id: string): string => `the course has no exercise ${id}.`,
  pathNoLesson: (id: string): string => `the course has no lesson ${id}.`,
  pathFinished: (title: string): string => `${title}: finished`,
  pathNotFinished: (title: string): string => `${title}: not finished yet`,
  done: "done   ",
  toDo: "to do  ",
  solvedOn: (date: string): string => `solved on ${date}`,
  wholePath: "That is the whole path: well done.",

  // Checks and predictions.
  couldNotCheck: "The check could not be made.",
  checkPassed: (part: number, all: number): string => `Passed: ${part} of ${points(all)}.`,
  checkOpen: (part: number, all: number, open: number): string =>
    `As good as it can be checked here: ${part} of ${points(all)}, ${open} still open.`,
  checkNotPassed: (part: number, all: number): string => `Not passed yet: ${part} of ${points(all)}.`,
  changedPassed: (passed: number, all: number): string => `${passed} of ${count(all, "changed exercise")} passed.`,
  oneOrAll: "Name one exercise, or say --all.",
  outNeedsReport: "--out needs --report.",
  noTask: (id: string, task: string, tasks: string): string => `${id} has no task ${task}. It has ${tasks}.`,
  asItStands: "As your file stands now:",
  willPass: (task: string, title: string): string => `Will ${task} pass (${title})?`,
  sayWhatPasses: (command: string): string => `Say what will pass: \`${command}\`.`,
  right: "right",
  wrong: "WRONG",
  youSaid: (said: boolean, passes: boolean): string =>
    `you said ${said ? "passes" : "fails"}, it ${passes ? "passes" : "fails"}`,
  rightAbout: (right: number, all: number): string => `You were right about ${right} of ${count(all, "task")}.`,
  pointsOpen: (open: number): string => `Open, until they are checked where PostgreSQL is: ${points(open)}.`,
  firstRight: (right: number, all: number): string =>
    `What you predicted first was right about ${right} of ${count(all, "task")}.`,
  sealedAt: (date: string): string => `Predicted on ${date}, before it was run:`,
  sealBroken: (names: string): string => `Predictions that were changed afterwards: ${names}.`,
  noPredictionIn: (lesson: string): string => `The lesson ${lesson} asks for no prediction.`,
  sayAnswer: (command: string): string => `Say what you expect: \`${command}\`.`,
  yourPrediction: "Your prediction:",
  itSays: "It says:",
  notRunHere: (problem: string): string => `It could not be run to its end here: ${problem}`,

  // What cannot be done.
  jsonEnds: "--json is for the commands that end: list, check, progress.",
  progressSetAside: (file: string): string =>
    `The progress file could not be read. It was moved to ${file}, and a new one was begun.`,
  emptyCourse: "The course has no exercise.",
  noExercise: (id: string, command: string): string => `There is no exercise ${id}. All of them: \`${command}\`.`,
  didYouMean: (id: string, meant: string, title: string): string =>
    `There is no exercise ${id}. Did you mean ${meant} (${title})?`,
  packagesMissing: (names: ReadonlyArray<string>): string =>
    `Checking needs ${names.join(" and ")}, which ${names.length === 1 ? "is" : "are"} not installed:`,
  packageMissing: (name: string): string =>
    `The package ${name} is not installed: run \`npm install --save-dev ${name}\`.`,

  // The doctor.
  ok: "OK",
  trouble: "problem",
  note: "note",
  node: "Node",
  nodeTooOld: (found: string, needed: string): string =>
    `This is Node ${found}, but Node ${needed} or newer is needed: install one, or in a clone start commands through npm, ` +
    "which uses the Node of the project.",
  library: "Library",
  forLearning: "Learning",
  forSql: "PostgreSQL packages",
  installed: (packages: string): string => `${packages} installed`,
  notInstalled: (packages: string, line: string): string => `${packages} not installed. To add them: ${line}`,
  wrongVersion: (name: string, found: string, range: string, line: string): string =>
    `${name} is ${found}, and ${range} is needed: ${line}`,
  forLearningWhy: "`learn` and `grade` need them, the library does not.",
  forSqlWhy: "The event store and the SQL exercises need them, nothing else does.",
  workspaceFolder: "Workspace",
  canBeWritten: (folder: string): string => `${folder} can be written`,
  cannotBeWritten: (folder: string): string =>
    `The folder ${folder} cannot be written: give this user write rights there, or work in another folder (--dir).`,
  saves: "Saves",
  savesNoticed: "a saved file is noticed at once",
  savesNotNoticed: "This folder does not tell when a file is saved: start `learn` with --poll.",
  courseFiles: "Course",
  courseIs: (all: number, outdated: number): string =>
    `${exercises(all)}${
      outdated === 0
        ? ""
        : `, ${outdated} with a newer stub than yours: \`learn reset\` takes it, \`--keep\` keeps yours`
    }`,
  databaseUrl: "DATABASE_URL",
  noDatabaseUrl: "not set: the embedded PostgreSQL is used",
  answersAt: (version: string, place: string): string => `PostgreSQL ${version} answers at ${place}`,
  postgres: "PostgreSQL",
  embeddedStarts: (version: string, millis: number): string =>
    `embedded ${version} starts, answers and stops (${millis} ms)`,
  notNeeded: (problem: string): string => `not needed while DATABASE_URL is set. ${problem}`,
  connections: "Connections",
  connectionsSuffice: (needed: number, granted: number): string =>
    `\`npm run serve\` opens ${needed} at most, PostgreSQL grants ${granted}`,
  connectionsLack: (needed: number, granted: number, processes: number, poolSize: number): string =>
    `\`npm run serve -- --workers ${processes}\` with pools of ${poolSize} may open ${needed}, and PostgreSQL grants ${granted}: ` +
    "set POOL_SIZE lower, start fewer workers, or raise max_connections.",
  connectionsUnknown: (needed: number): string =>
    `\`npm run serve\` opens ${needed} at most; how many PostgreSQL grants cannot be asked`,
  ports: "Ports",
  portsFree: (ports: string): string => `${ports} are free for \`npm run serve\``,
  portTaken: (port: number): string =>
    `${port} is taken: \`npm run serve\` needs three in a row, choose others with --port or PORT.`,
  sandbox: "Grading",
  sandboxClosed: "submissions are graded without a network",
  sandboxOpen:
    "submissions are locked in, but the network stays open to them: grade on a Linux that permits `unshare --net` to close it",
  problemsFound: (number: number): string => `${count(number, "problem")} found.`
}
