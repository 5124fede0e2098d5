/**
 * Locks what a learner's file could change to make a wrong answer look right. Runs in the test worker, before the file is
 * loaded.
 *
 * Methods of the language, of the assertion libraries and of Effect's own values become read-only. Whole prototypes are
 * not frozen: then an object could no longer have a field of its own with the name of an inherited one.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import nodeAssert from "node:assert"
import nodeAssertStrict from "node:assert/strict"
import { assert, chai, expect } from "vitest"

// What honest code assigns: on its own objects although their prototype has it too, and while it reads a stack.
const overridden = new Set<PropertyKey>(
  ["constructor", "toString", "toLocaleString", "valueOf", "toJSON", "name", "prepareStackTrace"]
)

const lockMethods = (target: object): void => {
  for (const key of Reflect.ownKeys(target)) {
    if (overridden.has(key)) continue
    const property = Reflect.getOwnPropertyDescriptor(target, key)
    if (property?.configurable === true) {
      Reflect.defineProperty(
        target,
        key,
        "value" in property && typeof property.value === "function"
          ? { writable: false, configurable: false }
          : "value" in property
          ? {}
          : { configurable: false }
      )
    }
  }
}

const lockChain = (value: object): void => {
  for (
    let target: object | null = Object.getPrototypeOf(value);
    target !== null && target !== Object.prototype && target !== Error.prototype && target !== Function.prototype;
    target = Object.getPrototypeOf(target)
  ) lockMethods(target)
}

const unavailable = (name: string) => (): never => {
  throw new Error(`\`${name}\` cannot be used in an exercise`)
}

/** Makes what decides about passing read-only. */
export const lock = (): void => {
  const classes = [Array, Map, Set, WeakMap, Promise, String, Number, RegExp, Symbol]
  for (const target of [Object, Error, JSON, Math, Reflect, ...classes]) lockMethods(target)
  for (const target of classes) lockMethods(target.prototype)
  lockMethods(Function.prototype)
  lockMethods(Object.getPrototypeOf([][Symbol.iterator]()))
  for (
    const value of [
      Effect.succeed(1),
      Effect.fail(1),
      Effect.sync(() => 1),
      Effect.suspend(() => Effect.void),
      Effect.flatMap(Effect.void, () => Effect.void),
      Effect.matchCauseEffect(Effect.void, { onFailure: () => Effect.void, onSuccess: () => Effect.void }),
      Effect.withFiber(() => Effect.void),
      Exit.succeed(1),
      Exit.fail(1),
      Cause.fail(1),
      Cause.fail(1).reasons[0] ?? {},
      Option.some(1),
      Option.none()
    ]
  ) lockChain(value)
  lockMethods(chai.Assertion.prototype)
  lockMethods(expect)
  for (const target of [assert, nodeAssert, nodeAssertStrict, chai.util]) Object.freeze(target)

  for (const source of [function() {}, async function() {}, function*() {}, async function*() {}]) {
    Reflect.defineProperty(Object.getPrototypeOf(source), "constructor", { value: unavailable("Function") })
  }
  for (const name of ["getBuiltinModule", "binding", "_linkedBinding", "dlopen", "kill", "reallyExit", "abort"]) {
    Reflect.defineProperty(process, name, { value: unavailable(`process.${name}`), configurable: false })
  }
}

const wrong: ReadonlyArray<() => unknown> = [
  () => assert.fail("wrong"),
  () => assert.strictEqual(1, 2),
  () => assert.deepStrictEqual({ a: [1] }, { a: [2] }),
  () => assert.isTrue(false),
  () => assert.include("abc", "x"),
  () => nodeAssertStrict.equal(1, 2),
  () => nodeAssertStrict.deepEqual({ a: 1 }, { a: 2 }),
  () => nodeAssertStrict.fail("wrong"),
  () => expect({ a: 1 }).toEqual({ a: 2 }),
  () => Effect.runSync(Effect.fail("wrong"))
]

/** Whether each kind of wrong assertion still fails. */
export const assertionsFail = (): boolean => {
  for (let index = 0; index < wrong.length; index++) {
    let failed = false
    try {
      wrong[index]?.()
    } catch {
      failed = true
    }
    if (!failed) return false
  }
  return !Exit.isSuccess(Effect.runSyncExit(Effect.fail("wrong")))
}
