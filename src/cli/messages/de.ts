/** Everything that `learn` and `doctor` say, in German. Keys, flags and names of files stay what they are. */
import type { Messages } from "./Messages.ts"

const count = (number: number, one: string, more: string): string => `${number} ${number === 1 ? one : more}`
const points = (number: number): string => count(number, "Punkt", "Punkte")
const ofPoints = (number: number): string => count(number, "Punkt", "Punkten")
const exercises = (number: number): string => count(number, "Übung", "Übungen")

/** @internal */
export const de: Messages = {
  points,
  exercises,
  attempts: (number) => count(number, "Versuch", "Versuche"),
  hints: (number) => count(number, "Tipp", "Tipps"),

  passed: "bestanden",
  failed: "FALSCH",
  open: "offen, braucht PostgreSQL",
  notRun: "nicht ausgeführt",
  guard: "Wächter",
  statuses: { new: "neu", started: "begonnen", open: "offen", solved: "gelöst" },
  stale: "gelöst, Vorlage geändert",
  stretch: "Kür",
  level: (level) => `Stufe ${level}`,
  kinds: {
    identify: "erkennen",
    predict: "vorhersagen",
    complete: "ergänzen",
    repair: "reparieren",
    build: "bauen",
    "write-the-test": "den Test schreiben"
  },
  about: (level, maximum, kind) => `Stufe ${level}, ${points(maximum)}, ${kind}`,
  of: (part, all) => `${part} von ${all}`,
  ofPoints: (part, all) => `${part} von ${ofPoints(all)}`,

  checking: (id) => `${id} wird geprüft …`,
  lessonAt: (file) => `Lektion: ${file}`,
  notChecked: "noch nicht geprüft",
  took: (seconds) => `${seconds.replace(".", ",")} s`,
  checkedIn: (took, time, attempt) => `geprüft in ${took}, ${time}, Versuch ${attempt}`,
  withheld: (earned, guards) =>
    `Die Tests ergeben ${points(earned)}; das zählt, sobald ${guards.join(" und ")} ${
      guards.length === 1 ? "besteht" : "bestehen"
    }.`,
  notPassed: (part, all) => `noch nicht bestanden: ${part} von ${ofPoints(all)}`,
  problem: (sentence) => `Problem: ${sentence}`,
  types: "Typen",
  typesNotChecked: "Typen: nicht geprüft",
  typesNotCheckedBecause: (reason) => `Typen nicht geprüft: ${reason}`,
  typeErrors: (number) => count(number, "Fehler", "Fehler"),
  typeError: (line, message, code) => `Zeile ${line}: ${message} (${code})`,
  moreOfError: (lines) => `… ${count(lines, "weitere Zeile", "weitere Zeilen")} …`,
  moreErrors: (number) => `und ${count(number, "weiterer Fehler", "weitere Fehler")}`,
  yourOutput: "Deine Ausgabe:",
  yourLastOutput: (shown, all) => `Deine Ausgabe (die letzten ${shown} von ${all} Zeilen):`,
  ownTests: (number) => number === 1 ? "1 eigener Test zählt nicht." : `${number} eigene Tests zählen nicht.`,
  solved: (part, all, how) => `Gelöst: ${part} von ${ofPoints(all)}, ${how}.`,
  solutionSeen: "Lösung gesehen",
  noHintsUsed: "keine Tipps",
  compareOther: "Mit einem anderen Weg vergleichen: s.",
  compare: "Vergleichen: s.",
  keyFor: (next) => `n führt zu ${next}.`,
  wasLast: "Das war die letzte.",
  chapterBar: (chapter) => `Kapitel ${chapter}`,
  courseBar: "Kurs",
  chapterIs: (chapter, solved, all) => `Kapitel ${chapter}: ${solved} von ${all}`,
  progressIs: (solved, all, part, maximum) => `Fortschritt: ${solved} von ${all}, ${part} von ${ofPoints(maximum)}`,
  step: (step, all) => `Schritt ${step} von ${all}`,
  moreLines: (number) => `${count(number, "weitere Zeile", "weitere Zeilen")}: Fenster höher machen, oder --plain`,
  keys: "Tasten:",
  keyNext: "n weiter",
  keyNextLater: "n weiter (wenn bestanden)",
  keyHint: "h Tipp",
  keyHintOf: (read, all) => `h Tipp ${read} von ${all}`,
  keySolution: "s Lösung",
  keysAlways: ["l Liste", "r prüfen", "x zurücksetzen", "e Editor", "q beenden"],
  keysList: ["auf/ab oder j/k wählen", "Enter öffnen", "p nur was fehlt", "l zurück", "q beenden"],
  keysPages: ["auf/ab oder j/k blättern", "Leertaste nächste Seite", "s zurück", "q beenden"],
  keysReading: ["auf/ab oder j/k blättern", "n weiter", "q beenden"],
  keysAsk: ["j ja", "jede andere Taste: nein"],
  yesKey: "j",
  yes: "ja",
  no: "nein",
  listed: (number, pendingOnly) => pendingOnly ? `noch ${exercises(number)}` : exercises(number),
  chosen: (id) => `gewählt: ${id}`,
  allSolved: "Alles ist gelöst.",
  newerStub:
    "Der Kurs hat eine neuere Vorlage als die, mit der du begonnen hast: x nimmt sie (deine wird aufgehoben), k behält deine.",
  notSolved: "Noch nicht gelöst. h gibt einen Tipp.",
  notSolvedList: "Noch nicht gelöst. h gibt einen Tipp; mit l lässt sich eine andere Übung wählen.",
  lastSolved: "Das war die letzte: alles ist gelöst.",
  noHintsHere: "Zu dieser Übung gibt es keine Tipps.",
  askSolutionKey:
    "Die Lösung zeigen, bevor die Übung gelöst ist? Das wird vermerkt; lösen kannst du sie trotzdem noch. (j/n)",
  saveMissed: "Das Speichern wurde nicht von selbst bemerkt. Dagegen hilft ein Start mit --poll.",
  askResetKey: "Die Vorlage wiederherstellen? Was du geschrieben hast, wird im Arbeitsordner aufgehoben. (j/n)",
  fileStays: "Deine Datei bleibt, wie sie ist.",
  predictNow: (failures, command) =>
    `${failures} Prüfungen hintereinander ohne Erfolg. Sag vor der nächsten, was du erwartest: ${command}`,
  theEnd: "das Ende",
  farewell: (solved, all, part, maximum) => `${solved} von ${exercises(all)} gelöst, ${part} von ${ofPoints(maximum)}.`,
  progressKept: (command) => `Dein Fortschritt bleibt; weiter geht es mit \`${command}\`.`,

  hint: (tier, all, text) => `Tipp ${tier} von ${all}: ${text}`,
  hintFor: (task, tier, all, text) => `Tipp ${tier} von ${all} zu ${task}: ${text}`,
  noHints: (id) => `Zu ${id} gibt es keine Tipps.`,
  noSuchHint: (id, there) => `Diesen Tipp gibt es zu ${id} nicht. Es gibt Tipps zu ${there}.`,
  hintTiers: (task, tiers) => `${task} (1 bis ${tiers})`,
  noSolution: "Zu dieser Übung enthält der Kurs keine Lösung.",
  hidden: (title) => `Die Kursleitung hält die Lösungen von »${title}« zurück.`,
  hiddenDue: (due) => `Abgabe: ${due}. Frag die Kursleitung, wann sie gezeigt werden.`,
  hiddenNoDue: "Frag die Kursleitung, wann sie gezeigt werden.",
  solutionIs: (file) => `Die Lösung: ${file}`,
  anotherWay: (file) => `Ein anderer Weg, der besteht: ${file}`,
  sameAsYours: "Deine ist dieselbe, Zeile für Zeile.",
  diffLegend: "Zeilen mit - sind deine, Zeilen mit + die der Lösung.",
  diffYours: "deine",
  diffSolution: "Lösung",
  askSolution: (id) => `${id} ist noch nicht gelöst. Die Lösung zeigen und das vermerken?`,
  yesForSolution: (id) =>
    `${id} ist noch nicht gelöst. Um die Lösung trotzdem zu sehen (das wird vermerkt): --yes anhängen.`,

  noEditor: (file) =>
    `Es ist kein Editor bekannt: mit --edit-cmd starten, etwa --edit-cmd "code --goto", oder VISUAL setzen. Die Datei: ${file}`,
  editorFailed: (editor, reason, file) => `\`${editor}\` hat nicht funktioniert (${reason}). Die Datei: ${file}`,
  exitCode: (code) => `Exit-Code ${code}`,
  wasStub: (id, file) => `${id}: ${file} war schon die Vorlage.`,
  stubBack: (id, backup) => `${id}: die Vorlage ist wieder da. Was du hattest, liegt in ${backup}.`,
  stubsBack: (names) => `${names}: die Vorlagen sind wieder da.`,
  nameOrAllReset: "Nenne eine Übung oder ein Kapitel, oder sag --all.",
  askReset: (names) => `Die Vorlage von ${names} wiederherstellen? Was du geschrieben hast, wird aufgehoben.`,
  yesForReset: (names) => `Das setzt ${names} zurück. Dazu --yes anhängen.`,
  keeps: (names, files) =>
    `${names}: ${files === 1 ? "deine Datei bleibt, wie sie ist" : "deine Dateien bleiben, wie sie sind"}.`,

  chapter: (chapter, name) => `Kapitel ${chapter}: ${name}`,
  solvedOf: (solved, all, part, maximum) => `${solved} von ${all} gelöst, ${part} von ${ofPoints(maximum)}`,
  chapterSum: (chapter, name, sum) => `Kapitel ${chapter}, ${name}: ${sum}`,
  levelSum: (level, sum) => `Stufe ${level}: ${sum}`,
  mastered: "gemeistert",
  sum: (solved, all, part, maximum) => `${solved} von ${exercises(all)}, ${part} von ${ofPoints(maximum)}`,
  next: (exercise) => `Als Nächstes: ${exercise}`,
  assignment: (title) => `Aufgabenblatt: ${title}`,
  due: (due) => `Abgabe: ${due}`,
  noLesson: (word) => `Es gibt keine Lektion ${word}. Lektionen heißen nach ihrem Kapitel, etwa 2.`,
  lesson: (heading) => `Lektion ${heading}`,
  readThenNext: (file) => `Lies ${file}, dann drücke n.`,
  tour: (name) => name === undefined ? "Der Rundgang" : `Der Rundgang ${name}`,
  tourThenNext: "Starte in einem anderen Terminal `npm start`: es zeigt echte Anfragen auf ihrem Weg. Dann drücke n.",
  noPaths: (name, folder) => `Es gibt keinen Pfad ${name}: dieser Kurs hat keine (sie lägen in ${folder}).`,
  noPath: (name, names) => `Es gibt keinen Pfad ${name}. Es gibt: ${names.join(", ")}.`,
  pathNoExercise: (id) => `der Kurs hat keine Übung ${id}.`,
  pathNoLesson: (id) => `der Kurs hat keine Lektion ${id}.`,
  pathFinished: (title) => `${title}: geschafft`,
  pathNotFinished: (title) => `${title}: noch nicht am Ende`,
  done: "fertig ",
  toDo: "zu tun ",
  solvedOn: (date) => `gelöst am ${date}`,
  wholePath: "Das war der ganze Pfad: gut gemacht.",

  couldNotCheck: "Die Prüfung kam nicht zustande.",
  checkPassed: (part, all) => `Bestanden: ${part} von ${ofPoints(all)}.`,
  checkOpen: (part, all, open) => `Soweit es sich hier prüfen lässt: ${part} von ${ofPoints(all)}, ${open} noch offen.`,
  checkNotPassed: (part, all) => `Noch nicht bestanden: ${part} von ${ofPoints(all)}.`,
  changedPassed: (passed, all) => `${passed} von ${count(all, "geänderten Übung", "geänderten Übungen")} bestanden.`,
  oneOrAll: "Nenne eine Übung, oder sag --all.",
  outNeedsReport: "--out braucht --report.",
  noTask: (id, task, tasks) => `${id} hat keine Aufgabe ${task}. Es gibt ${tasks}.`,
  asItStands: "So, wie deine Datei jetzt ist:",
  willPass: (task, title) => `Wird ${task} bestehen (${title})?`,
  sayWhatPasses: (command) => `Sag, was bestehen wird: \`${command}\`.`,
  right: "richtig",
  wrong: "FALSCH",
  youSaid: (said, passes) =>
    `vorhergesagt: ${said ? "besteht" : "scheitert"}; tatsächlich: ${passes ? "besteht" : "scheitert"}`,
  rightAbout: (right, all) => `Bei ${right} von ${count(all, "Aufgabe", "Aufgaben")} lagst du richtig.`,
  pointsOpen: (open) => `Offen, bis sie mit einem PostgreSQL geprüft werden: ${count(open, "Punkt", "Punkte")}.`,
  firstRight: (right, all) =>
    `Deine erste Vorhersage war bei ${right} von ${count(all, "Aufgabe", "Aufgaben")} richtig.`,
  sealedAt: (date) => `Vorhergesagt am ${date}, bevor es lief:`,
  sealBroken: (names) => `Vorhersagen, die danach geändert wurden: ${names}.`,
  noPredictionIn: (lesson) => `Die Lektion ${lesson} fragt nach keiner Vorhersage.`,
  sayAnswer: (command) => `Sag, was du erwartest: \`${command}\`.`,
  yourPrediction: "Deine Vorhersage:",
  itSays: "Das Programm sagt:",
  notRunHere: (problem) => `Das Programm ließ sich hier nicht bis zum Ende ausführen: ${problem}`,

  jsonEnds: "--json gibt es nur für Befehle, die enden: list, check, progress.",
  progressSetAside: (file) =>
    `Die Datei mit dem Fortschritt ließ sich nicht lesen. Sie liegt jetzt in ${file}; eine neue ist begonnen.`,
  emptyCourse: "Der Kurs hat keine Übung.",
  noExercise: (id, command) => `Es gibt keine Übung ${id}. Alle zeigt \`${command}\`.`,
  didYouMean: (id, meant, title) => `Es gibt keine Übung ${id}. Ist ${meant} gemeint (${title})?`,
  packagesMissing: (names) =>
    `Zum Prüfen ${names.length === 1 ? "fehlt das Paket" : "fehlen die Pakete"} ${names.join(" und ")}:`,
  packageMissing: (name) => `Das Paket ${name} ist nicht installiert: \`npm install --save-dev ${name}\`.`,

  ok: "OK",
  trouble: "Problem",
  note: "Hinweis",
  node: "Node",
  nodeTooOld: (found, needed) =>
    `Dies ist Node ${found}, nötig ist Node ${needed} oder neuer: installiere eines, oder starte die Befehle in einem Klon über ` +
    "npm, das das Node des Projekts nimmt.",
  library: "Bibliothek",
  forLearning: "Lernen",
  forSql: "PostgreSQL-Pakete",
  installed: (packages) => `${packages} installiert`,
  notInstalled: (packages, line) => `${packages} nicht installiert. So kommen sie dazu: ${line}`,
  wrongVersion: (name, found, range, line) =>
    `${name} ist in Version ${found} installiert, nötig ist ${range}: ${line}`,
  forLearningWhy: "`learn` und `grade` brauchen sie, die Bibliothek nicht.",
  forSqlWhy: "Der Event-Store und die SQL-Übungen brauchen sie, sonst nichts.",
  workspaceFolder: "Arbeitsordner",
  canBeWritten: (folder) => `in ${folder} darf geschrieben werden`,
  cannotBeWritten: (folder) =>
    `In den Ordner ${folder} darf nicht geschrieben werden: gib diesem Benutzer dort Schreibrechte, oder nimm einen anderen (--dir).`,
  saves: "Speichern",
  savesNoticed: "eine gespeicherte Datei wird sofort bemerkt",
  savesNotNoticed: "Dieser Ordner meldet nicht, wenn eine Datei gespeichert wird: starte `learn` mit --poll.",
  courseFiles: "Kurs",
  courseIs: (all, outdated) =>
    `${exercises(all)}${
      outdated === 0
        ? ""
        : `, ${outdated} davon mit neuerer Vorlage als deiner: \`learn reset\` nimmt sie, \`--keep\` behält deine`
    }`,
  databaseUrl: "DATABASE_URL",
  noDatabaseUrl: "nicht gesetzt: das eingebettete PostgreSQL wird benutzt",
  answersAt: (version, place) => `PostgreSQL ${version} antwortet unter ${place}`,
  postgres: "PostgreSQL",
  embeddedStarts: (version, millis) => `das eingebettete ${version} startet, antwortet und endet (${millis} ms)`,
  notNeeded: (problem) => `nicht nötig, solange DATABASE_URL gesetzt ist. ${problem}`,
  connections: "Verbindungen",
  connectionsSuffice: (needed, granted) =>
    `\`npm run serve\` öffnet höchstens ${needed}, PostgreSQL gewährt ${granted}`,
  connectionsLack: (needed, granted, processes, poolSize) =>
    `\`npm run serve -- --workers ${processes}\` öffnet mit Pools von ${poolSize} bis zu ${needed}, und PostgreSQL gewährt ${granted}: ` +
    "setze POOL_SIZE niedriger, starte weniger Prozesse oder erhöhe max_connections.",
  connectionsUnknown: (needed) =>
    `\`npm run serve\` öffnet höchstens ${needed}; wie viele PostgreSQL gewährt, lässt sich nicht erfragen`,
  ports: "Ports",
  portsFree: (ports) => `${ports} sind frei für \`npm run serve\``,
  portTaken: (port) =>
    `${port} ist belegt: \`npm run serve\` braucht drei aufeinanderfolgende, andere wählst du mit --port oder PORT.`,
  sandbox: "Bewertung",
  sandboxClosed: "Abgaben werden ohne Netz geprüft",
  sandboxOpen:
    "Abgaben werden eingesperrt, aber das Netz bleibt ihnen offen: ein Linux, das `unshare --net` erlaubt, schließt es",
  problemsFound: (number) => count(number, "Problem gefunden.", "Probleme gefunden.")
}
