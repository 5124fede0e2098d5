/**
 * A wish to change something, as a definition that every way in can run: `Mediator.send`, an RPC server, an HTTP handler
 * or a cluster entity.
 *
 * A command is an `effect/rpc` definition (payload, success and error as schemas) under a namespaced tag such as
 * `orders.Place`. It adds what an Rpc lacks: which aggregate a payload is for, and the command id under which a repeated
 * command happens once. An aggregate keeps that promise by itself; a function does where its handler is in
 * `Domain.idempotent`, and without it runs each time. Its error schema also has the failures of `DomainError.CommandFailure`.
 *
 * **Gotchas**
 *
 * - The handler's key is the tag alone, so the tag has a namespace; one without a dot does not compile and throws.
 * - A command id is looked up within the aggregate and the command: the same id with another payload is
 *   `CommandIdMismatch`. A command that emitted no event leaves no record and is decided again.
 * - Which payload it was stands beside the events, as a fingerprint (`meta.fingerprint`). Where the aggregate has personal
 *   fields it has 16 bits, which say nothing about a payload, and one other payload in 65,536 gets the first reply.
 * - `annotate` and the other methods of an Rpc return a plain Rpc without what a command adds.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Command } from "effect-lifecycle/domain"
 * import assert from "node:assert/strict"
 *
 * const Place = Command.make("orders.Place", {
 *   payload: { orderId: Schema.String, requestKey: Schema.optionalKey(Schema.String) },
 *   success: Schema.Struct({ version: Schema.Int }),
 *   aggregateId: (payload) => payload.orderId,
 *   commandId: (payload) => payload.requestKey
 * })
 *
 * assert.equal(Place._tag, "orders.Place")
 * assert.equal(Place.aggregateId({ orderId: "o-1" }), "o-1")
 * ```
 *
 * @since 0.1.0
 */
import { Context, Option, PrimaryKey, Schema, SchemaAST } from "effect"
import { Rpc } from "effect/rpc"
import { InvalidOption } from "../resilience/InvalidOption.ts"
import * as EventMeta from "../store/EventMeta.ts"
import * as DomainError from "./DomainError.ts"
import { fingerprintOf } from "./internal/fingerprint.ts"

/**
 * A command definition.
 *
 * @category models
 * @since 0.1.0
 */
export interface Command<
  Tag extends string,
  Payload extends Schema.Top,
  Success extends Schema.Top,
  Error extends Schema.Top,
  Http extends HttpRoute = HttpRoute
> extends Rpc.Rpc<Tag, Payload, Success, DomainError.CommandErrors<Error>> {
  readonly kind: "command"
  readonly description: string | undefined
  readonly http: Http
  readonly commandId: (payload: Payload["Type"]) => string | undefined
}

/**
 * A command that one aggregate decides.
 *
 * @category models
 * @since 0.1.0
 */
export interface AggregateCommand<
  Tag extends string,
  Payload extends Schema.Top,
  Success extends Schema.Top,
  Error extends Schema.Top,
  Http extends HttpRoute = HttpRoute
> extends Command<Tag, Payload, Success, Error, Http> {
  readonly aggregateId: (payload: Payload["Type"]) => string
}

/**
 * Any command.
 *
 * @category models
 * @since 0.1.0
 */
export interface Any extends Rpc.AnyWithProps {
  readonly kind: "command"
  readonly description: string | undefined
  readonly http: HttpRoute
  readonly commandId: (payload: never) => string | undefined
}

/**
 * Any command that an aggregate decides.
 *
 * @category models
 * @since 0.1.0
 */
export interface AnyAggregate extends Any {
  readonly aggregateId: (payload: never) => string
}

/**
 * Where `Domain.toHttpApi` serves a command.
 *
 * @category models
 * @since 0.1.0
 */
export interface HttpRoute {
  /** `POST` when absent. */
  readonly method?: "POST" | "PUT" | "PATCH" | "DELETE" | undefined
  /** Segments such as `:id` are fields of the payload; `/commands/` and the tag when absent. */
  readonly path?: `/${string}` | undefined
  /** Of a success; 200 when absent, 204 for a command without one. */
  readonly status?: number | undefined
}

/**
 * The payload of a definition: fields as they are given, or a schema.
 *
 * @category models
 * @since 0.1.0
 */
export type PayloadSchema<Payload extends Schema.Top | Schema.Struct.Fields> = Payload extends Schema.Top ? Payload
  : Payload extends Schema.Struct.Fields ? Schema.Struct<Payload>
  : never

/**
 * @category models
 * @since 0.1.0
 */
export interface Options<
  Payload extends Schema.Top | Schema.Struct.Fields,
  Success extends Schema.Top,
  Error extends Schema.Top,
  Http extends HttpRoute = HttpRoute
> {
  /** The fields of the payload, or its schema. */
  readonly payload?: Payload
  readonly success?: Success
  /** The command's own errors; the failures of every command are added. */
  readonly error?: Error
  /**
   * An idempotency key: the same command under it happens once, where an aggregate decides it or its handler is in
   * `Domain.idempotent`. Also the primary key of the Rpc (of a payload of fields).
   */
  readonly commandId?: ((payload: PayloadSchema<Payload>["Type"]) => string | undefined) | undefined
  /** One sentence for the reader of generated documentation. */
  readonly description?: string | undefined
  /** Where it is served over HTTP. */
  readonly http?:
    | Http & {
      /** The version of the aggregate after the command, for the `ETag` of the answer. */
      readonly version?: ((success: Success["Type"]) => number) | undefined
    }
    | undefined
}

/**
 * Defines a command. With `aggregateId` it can be decided by an aggregate; without, it is handled by a function.
 *
 * Throws `InvalidOption` when the tag is not `namespace.Name`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: {
  <
    const Tag extends Namespaced,
    Payload extends Schema.Top | Schema.Struct.Fields = Schema.Void,
    Success extends Schema.Top = Schema.Void,
    Error extends Schema.Top = Schema.Never,
    const Http extends HttpRoute = {}
  >(
    tag: Tag,
    options: Options<Payload, Success, Error, Http> & {
      /** Which aggregate the command is for. */
      readonly aggregateId: (payload: PayloadSchema<Payload>["Type"]) => string
    }
  ): AggregateCommand<Tag, PayloadSchema<Payload>, Success, Error, Http>
  <
    const Tag extends Namespaced,
    Payload extends Schema.Top | Schema.Struct.Fields = Schema.Void,
    Success extends Schema.Top = Schema.Void,
    Error extends Schema.Top = Schema.Never,
    const Http extends HttpRoute = {}
  >(
    tag: Tag,
    options?: Options<Payload, Success, Error, Http> & { readonly aggregateId?: undefined }
  ): Command<Tag, PayloadSchema<Payload>, Success, Error, Http>
} = (
  tag: string,
  options: Options<Schema.Top | Schema.Struct.Fields, Schema.Top, Schema.Top> & {
    readonly aggregateId?: ((payload: never) => string) | undefined
  } = {}
  // The overloads compute the payload's type, which an implementation for all of them cannot.
): never => {
  checkTag("Command.make", tag)
  const commandId = options.commandId ?? (() => undefined)
  const rpc = Rpc.make(tag, {
    payload: payloadSchema(tag, options.payload, options.commandId),
    success: options.success ?? Schema.Void,
    error: DomainError.ofCommand(options.error ?? Schema.Never)
  })
  return Object.assign(rpc, {
    kind: "command",
    description: options.description,
    http: options.http ?? {},
    commandId,
    aggregateId: options.aggregateId
  }) as never
}

/**
 * A tag with a namespace.
 *
 * @category models
 * @since 0.1.0
 */
export type Namespaced = `${string}.${string}`

/**
 * The version that the caller expects the aggregate to have (`If-Match`); holds for the one command that is sent, not for
 * the commands its handler sends. The handler of a function refuses it, unless it is `versioned`.
 *
 * @category references
 * @since 0.1.0
 */
export const ExpectedVersion = Context.Reference<Option.Option<number>>(
  "effect-lifecycle/domain/Command/ExpectedVersion",
  { defaultValue: Option.none }
)

/**
 * The command id given beside the payload (`Idempotency-Key`); wins over the one of the definition, and holds for the one
 * command that is sent. A function that is not in `Domain.idempotent` is given it, and runs each time.
 *
 * @category references
 * @since 0.1.0
 */
export const CommandId = Context.Reference<Option.Option<string>>("effect-lifecycle/domain/Command/CommandId", {
  defaultValue: Option.none
})

/**
 * Who sends the commands; kept with every event as `actor`.
 *
 * @category references
 * @since 0.1.0
 */
export const Actor: Context.Reference<Option.Option<string>> = EventMeta.Actor

/**
 * What binds the commands of one business process together; kept with every event as `correlationId`. The request id when
 * absent.
 *
 * @category references
 * @since 0.1.0
 */
export const Correlation: Context.Reference<Option.Option<string>> = EventMeta.Correlation

/** @internal */
export const checkTag = (module: string, tag: string): void => {
  if (/^[^.\s]+(\.[^.\s]+)+$/.test(tag)) return
  throw new InvalidOption({
    module,
    option: "tag",
    value: `"${tag}"`,
    allowed: "a name with a namespace, such as \"orders.Place\""
  })
}

/**
 * The payload without what makes it a primary key: a struct of plain values, as a client over HTTP writes them.
 *
 * @internal
 */
export const plainPayload = ({ _tag, payloadSchema }: Rpc.AnyWithProps): Schema.Top =>
  typeof payloadSchema === "function" && "fields" in payloadSchema &&
    SchemaAST.resolveIdentifier(payloadSchema.ast) === classOf(_tag)
    // That is the class made below.
    ? Schema.Struct((payloadSchema as { readonly fields: Schema.Struct.Fields }).fields)
    : payloadSchema

/**
 * Tells a payload from another one under the same command id.
 *
 * @internal
 */
export const fingerprint = (definition: Rpc.AnyWithProps): (payload: unknown) => string | undefined =>
  fingerprintOf(plainPayload(definition))

const classOf = (tag: string): string => `effect-lifecycle/domain/${tag}`

/** @internal */
export const payloadSchema = (
  tag: string,
  payload: Schema.Top | Schema.Struct.Fields | undefined,
  commandId: ((payload: never) => string | undefined) | undefined
): Schema.Top => {
  if (payload === undefined) return Schema.Void
  if (Schema.isSchema(payload)) return payload as Schema.Top
  if (commandId === undefined) return Schema.Struct(payload)
  const idOf: (payload: never) => string | undefined = commandId
  // Rpc's own `primaryKey` has to answer for every payload; here the key is only there when the payload has an id.
  return class Payload extends Schema.Class<Payload>(classOf(tag))(payload) {
    constructor(...args: ConstructorParameters<Schema.Class<Payload, Schema.Struct<Schema.Struct.Fields>, {}>>) {
      super(...args)
      const id = idOf(this as never)
      if (id !== undefined) Object.defineProperty(this, PrimaryKey.symbol, { value: () => id })
    }
  }
}
