/**
 * Handlers of one command or query in a row, of which each answers or passes the request on.
 *
 * A link answers with the definition's success, fails with one of its errors, or answers {@link pass}. Only `pass` leads
 * to the next link: a link that fails ends the chain with its failure. A link may have a fallback ({@link withFallback}) in
 * any position; it is tried when the link fails, never when it passes, and it may pass as well. What the later links do is
 * no failure of the link before them.
 *
 * The end of the chain is part of its type. Where every link passed, `otherwise` answers; without it the chain fails with
 * {@link NotHandled}, and then this error has to be one of the definition's.
 *
 * A chain is a handler: `Domain.toLayer` puts middleware, hooks and the report around it once, and `Domain.withFallback`
 * puts a handler behind all of it.
 *
 * **Gotchas**
 *
 * - Links are asked in their order, each after the one before has passed. Put the cheap and the frequent first.
 * - A link that has done something and then passes has done it: decide first, then act.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { ChainOfResponsibility, Command, Domain, Mediator } from "effect-lifecycle/domain"
 * import assert from "node:assert/strict"
 *
 * const Pay = Command.make("payments.Pay", {
 *   payload: { method: Schema.String, cents: Schema.Int },
 *   success: Schema.String,
 *   error: ChainOfResponsibility.NotHandled
 * })
 *
 * const takes = (name: string) =>
 *   ChainOfResponsibility.link(Pay, {
 *     name,
 *     handle: ({ cents, method }) =>
 *       method === name ? Effect.succeed(`${name} ${cents}`) : ChainOfResponsibility.pass
 *   })
 *
 * const layer = Domain.toLayer([ChainOfResponsibility.make(Pay, [takes("card"), takes("transfer")])])
 * const pay = (method: string) => Effect.provide(Mediator.send(Pay, { method, cents: 5 }), layer)
 *
 * assert.equal(await Effect.runPromise(pay("transfer")), "transfer 5")
 * assert.equal((await Effect.runPromise(Effect.flip(pay("shells"))))._tag, "NotHandled")
 * ```
 *
 * @since 0.1.0
 */
import { Effect, Schema, type Scope } from "effect"
import { dual } from "effect/Function"
import type { Rpc } from "effect/rpc"
import * as Fallback from "../resilience/Fallback.ts"
import { InvalidOption } from "../resilience/InvalidOption.ts"
import type * as Command from "./Command.ts"
import { failWith, same } from "./internal/handler/fallbacks.ts"
import { type Call, type Handler, type Node, type Sent, storesOf, unversioned } from "./internal/handler/handler.ts"
import type { FunctionOptions } from "./internal/handler/make.ts"
import type * as Query from "./Query.ts"

/**
 * Every link of a chain has passed the request on.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotHandled extends Schema.TaggedError<NotHandled>()("NotHandled", {
  name: Schema.String,
  /** The links that were asked. */
  links: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `No link of the chain "${this.name}" handles this request (${
      this.links.join(", ")
    }). Add a link for it, or "otherwise"`
  }
}

/**
 * What a link answers that leaves the request to the next.
 *
 * @category models
 * @since 0.1.0
 */
export interface Pass {
  readonly _tag: "effect-lifecycle/domain/ChainOfResponsibility/Pass"
}

const Passed: Pass = { _tag: "effect-lifecycle/domain/ChainOfResponsibility/Pass" }

/**
 * Leaves the request to the next link.
 *
 * @category constructors
 * @since 0.1.0
 */
export const pass: Effect.Effect<Pass> = Effect.succeed(Passed)

/**
 * One handler of a chain.
 *
 * @category models
 * @since 0.1.0
 */
export interface Link<out Definition extends Rpc.AnyWithProps, out R> extends Node {
  readonly definition: Definition
  /** Says whether it can be installed: what is wrong with a link made without types is thrown here. */
  readonly check: () => void
  readonly handle: (payload: unknown, sent: Sent) => Effect.Effect<unknown, unknown, R>
}

/**
 * A handler of one definition that answers or passes on.
 *
 * @category constructors
 * @since 0.1.0
 */
export const link = <Definition extends Command.Any | Query.Any, R = never>(
  definition: Definition,
  options: {
    /** Stands in reports, and is the key of its circuit. */
    readonly name: string
    readonly handle: (
      payload: Rpc.Payload<Definition>,
      sent: Sent
    ) => Effect.Effect<Rpc.Success<Definition> | Pass, Rpc.Error<Definition>, R>
  }
): Link<Definition, Exclude<R, Scope.Scope>> => ({
  name: options.name,
  definition,
  part: { _tag: "Function" },
  check: () => {},
  // The payload was decoded by the definition's own schema.
  handle: (payload, sent) =>
    Effect.scoped(Effect.suspend(() => options.handle(payload as Rpc.Payload<Definition>, sent)))
})

/**
 * Puts a second link of the same definition behind a link, for when it fails. The second may pass as well.
 *
 * The layer does not build (`InvalidOption`) when the two are of different definitions.
 *
 * @category combinators
 * @since 0.1.0
 */
export const withFallback: {
  <Definition extends Command.Any | Query.Any, R2>(
    options: FallbackOptions<Definition, R2>
  ): <R>(self: Link<Definition, R>) => Link<Definition, R | R2>
  <Definition extends Command.Any | Query.Any, R, R2>(
    self: Link<Definition, R>,
    options: FallbackOptions<NoInfer<Definition>, R2>
  ): Link<Definition, R | R2>
} = dual(2, <Definition extends Command.Any | Query.Any, R, R2>(
  self: Link<Definition, R>,
  { breaker, fallback, on }: FallbackOptions<Definition, R2>
): Link<Definition, R | R2> => ({
  name: self.name,
  definition: self.definition,
  part: { _tag: "Fallback", primary: self, fallback, breaker: breaker !== undefined },
  check: () => {
    same("ChainOfResponsibility.withFallback", self, fallback)
    self.check()
    fallback.check()
  },
  handle: (payload, sent) =>
    Fallback.handler({
      primary: { name: self.name, handle: () => self.handle(payload, sent) },
      fallback: { name: fallback.name, handle: (_, failed) => fallback.handle(payload, { ...sent, failed }) },
      // The list is of the definition's own errors, which a link no longer shows.
      on: on as Fallback.On<unknown> | undefined,
      breaker
    })(payload).pipe(Effect.catchCause(failWith(self.definition._tag)))
}))

/**
 * A second link, and when it takes over.
 *
 * @category models
 * @since 0.1.0
 */
export interface FallbackOptions<Definition extends Rpc.AnyWithProps, R> {
  /** It is told in `Sent.failed` why the first one failed. */
  readonly fallback: Link<Definition, R>
  /** Which failures are worth it; any typed failure when absent. */
  readonly on?: Fallback.On<Rpc.Error<Definition>> | undefined
  /** Guards the first link. Shared by several, it keeps one circuit for each link's name. */
  readonly breaker?: Fallback.Breaker | undefined
}

/**
 * The end of a chain: an answer, which may be left out where `NotHandled` is one of the definition's errors.
 *
 * @category models
 * @since 0.1.0
 */
export type End<Definition extends Rpc.AnyWithProps, R> = NotHandled extends Rpc.Error<Definition>
  ? readonly [options?: FunctionOptions & { readonly otherwise?: Otherwise<Definition, R> | undefined }]
  : readonly [options: FunctionOptions & { readonly otherwise: Otherwise<Definition, R> }]

/**
 * Answers what every link has passed on.
 *
 * @category models
 * @since 0.1.0
 */
export type Otherwise<Definition extends Rpc.AnyWithProps, R> = (
  payload: Rpc.Payload<Definition>,
  sent: Sent
) => Effect.Effect<Rpc.Success<Definition>, Rpc.Error<Definition>, R>

/**
 * The handler of a definition that asks links in their order.
 *
 * The layer does not build (`InvalidOption`) without links, when two have one name, or when one is of another definition.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <Definition extends Command.Any | Query.Any, R = never, R2 = never>(
  definition: Definition,
  links: ReadonlyArray<Link<NoInfer<Definition>, R>>,
  ...[options]: End<Definition, R2>
): Handler<Definition["_tag"], R | Exclude<NoInfer<R2>, Scope.Scope>, Definition> => ({
  kind: "request",
  tag: definition._tag,
  name: definition._tag,
  definition,
  part: { _tag: "Chain", links },
  prepare: (on) => {
    check(definition, links)
    const stores = storesOf(on.services)
    const names = links.map((link) => link.name)
    const last = options?.otherwise
    const otherwise = (payload: unknown, sent: Sent): Effect.Effect<unknown, unknown, Exclude<R2, Scope.Scope>> =>
      last === undefined
        ? new NotHandled({ name: definition._tag, links: names })
        : Effect.scoped(Effect.suspend(() => last(payload as Rpc.Payload<Definition>, sent)))
    const ask = (payload: unknown, sent: Sent) =>
      Effect.gen(function*() {
        for (const link of links) {
          const answer = yield* link.handle(payload, sent)
          if (answer !== Passed) return answer
        }
        return yield* otherwise(payload, sent)
      })
    return {
      target: () => undefined,
      run: ({ attempted, failed }: Call) => {
        const { commandId, expectedVersion, payload } = attempted
        if (options?.versioned !== true && expectedVersion !== undefined) return unversioned(attempted)
        return Effect.provideContext(ask(payload, { commandId, expectedVersion, failed }), stores)
      }
    }
  }
})

const check = (definition: Rpc.AnyWithProps, links: ReadonlyArray<Link<Rpc.AnyWithProps, unknown>>): void => {
  const invalid = (value: string, allowed: string) => {
    throw new InvalidOption({
      module: `ChainOfResponsibility.make("${definition._tag}")`,
      option: "links",
      value,
      allowed
    })
  }
  if (links.length === 0) invalid("none", "one link at least")
  for (const [index, link] of links.entries()) {
    if (link.definition !== definition) {
      invalid(`"${link.name}", a link of another definition`, "links of the definition")
    }
    if (links.findIndex(({ name }) => name === link.name) !== index) {
      invalid(`"${link.name}" twice`, "one link of a name")
    }
    link.check()
  }
}
