/** `lifecycle store`: the care of a store on PostgreSQL, for those who run a service with it. */
import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import type { Where } from "./internal/storeConnection.ts"
import { ending } from "./internal/storeErrors.ts"
import { load } from "./optional.ts"

const url = Flag.String("url").pipe(
  Flag.optional,
  Flag.withDescription("postgres://user:password@host:5432/database; DATABASE_URL when absent, which others cannot see")
)
const schema = Flag.String("schema").pipe(
  Flag.withDefault("es"),
  Flag.withDescription("The schema of the store, as in PgStore.layer; es when absent")
)
const json = Flag.Boolean("json").pipe(Flag.withDefault(false), Flag.withDescription("Answer with one line of JSON"))
const common = { url, schema, json }

interface Common {
  readonly url: Option.Option<string>
  readonly schema: string
  readonly json: boolean
}

const whereOf = ({ json, schema, url }: Common): Where => ({ json, schema, url: Option.getOrUndefined(url) })

/** The library's errors end the process with the code that they stand for. */
const ended = <A, R>(effect: Effect.Effect<A, { readonly _tag: string; readonly message: string }, R>) =>
  Effect.mapError(effect, ending)

const actions = load(() => import("./internal/storeActions.ts"))

const file = Argument.String("file").pipe(Argument.withDescription("A file, or - for the standard input or output"))

const migrate = Command.make(
  "migrate",
  {
    ...common,
    dryRun: Flag.Boolean("dry-run").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Print the SQL and change nothing")
    )
  },
  (options) => ended(Effect.flatMap(actions, ({ migrate }) => migrate(whereOf(options), options)))
).pipe(Command.withDescription("Bring the schema up to date, or make it"))

const verify = Command.make(
  "verify",
  {
    ...common,
    most: Flag.Int("most").pipe(Flag.withDefault(100), Flag.withDescription("How many faults of each kind are shown"))
  },
  (options) => ended(Effect.flatMap(actions, ({ verify }) => verify(whereOf(options), options)))
).pipe(
  Command.withDescription("Look for gaps, wrong versions, changed events, lost keys and checkpoints that are ahead")
)

const rebuild = Command.make(
  "rebuild",
  {
    ...common,
    name: Argument.String("name").pipe(Argument.withDescription("The name of a projection")),
    app: Flag.String("app").pipe(
      Flag.withDescription("A file of the app that exports its projections, and a `layer` of what their handlers need")
    ),
    dropRetired: Flag.Boolean("drop-retired").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Then remove the rows of the versions before it; processes that run them must have ended")
    )
  },
  (options) =>
    ended(
      Effect.flatMap(
        load(() => import("./internal/storeRebuild.ts")),
        ({ rebuild }) => rebuild(whereOf(options), options)
      )
    )
).pipe(
  Command.withDescription(
    "Build the version of a projection that --app has beside the live one, and put it in its place"
  )
)

const shred = Command.make(
  "shred",
  {
    ...common,
    subject: Argument.String("subject").pipe(Argument.withDescription("The id of a person, as the events name it")),
    tenant: Flag.String("tenant").pipe(
      Flag.withDefault(""),
      Flag.withDescription("Whose person; no tenant when absent")
    ),
    yes: Flag.Boolean("yes").pipe(Flag.withDefault(false), Flag.withDescription("Do it: it cannot be undone"))
  },
  (options) => ended(Effect.flatMap(actions, ({ shred }) => shred(whereOf(options), options)))
).pipe(Command.withDescription("Erase the key of a person, so that the data in events can never be read again"))

const exporting = Command.make(
  "export",
  { ...common, file },
  (options) => ended(Effect.flatMap(actions, ({ exportTo }) => exportTo(whereOf(options), options)))
).pipe(Command.withDescription("Write the whole store, as of one moment, to a file of JSON lines with checksums"))

const importing = Command.make(
  "import",
  {
    ...common,
    file,
    sha256: Flag.String("sha256").pipe(
      Flag.optional,
      Flag.withDescription("The checksum that the export has printed; another file is refused")
    ),
    above: Flag.Int("positions-above").pipe(
      Flag.filter((position) => position >= 0, (position) => `${position}: a position, 0 or above`),
      Flag.withDefault(0),
      Flag.withDescription("New events get higher positions: the highest that others have seen of what is lost")
    )
  },
  (options) =>
    ended(
      Effect.flatMap(actions, ({ importFrom }) =>
        importFrom(whereOf(options), {
          file: options.file,
          sha256: Option.getOrUndefined(options.sha256),
          above: BigInt(options.above)
        }))
    )
).pipe(Command.withDescription("Read an export into a schema that is not there yet: all of it, or nothing"))

/**
 * Ends with 0 when all is well, 1 when something is wrong with what it looked at, 2 when it was asked wrongly and 3 when it
 * cannot be done.
 *
 * @category commands
 * @since 0.1.0
 */
export const store = Command.make("store").pipe(
  Command.withDescription("Migrate, verify, rebuild, shred, export or import an event store on PostgreSQL"),
  Command.withSubcommands([migrate, verify, rebuild, shred, exporting, importing])
)
