/** The keys of subjects: made, wrapped, unwrapped and remembered for a while. */
import { Clock, Effect, Redacted, Result } from "effect"
import { Aead, type SecureRandom } from "effect/crypto"
import { Base64 } from "effect/encoding"
import { InvalidOption } from "../../../resilience/InvalidOption.ts"
import type { SubjectKey, SubjectKeys } from "../../SubjectKeys.ts"
import type { StoreUnavailable, UnitOfWork } from "../../UnitOfWork.ts"

export type SubjectKeyValue = Aead.Key<typeof Aead.aes256Gcm>

/** A key, or why there is none: erased, never there, or wrapped by a master key that this process does not have. */
export type Found =
  | { readonly _tag: "Key"; readonly key: SubjectKeyValue }
  | { readonly _tag: "Shredded" }
  | { readonly _tag: "Missing"; readonly reason: string }

export interface MasterKeys {
  /** Wraps new keys. */
  readonly current: string
  readonly keys: ReadonlyMap<string, SubjectKeyValue>
}

/** `id=base64 id=base64`: the first one wraps new keys, all of them unwrap. */
export const parseMasterKeys = (text: Redacted.Redacted<string>): Effect.Effect<MasterKeys, InvalidOption> =>
  Effect.gen(function*() {
    const invalid = (value: string, allowed: string) =>
      new InvalidOption({ module: "PersonalData.layer", option: "masterKeys", value, allowed })
    const keys = new Map<string, SubjectKeyValue>()
    for (const entry of Redacted.value(text).split(/[\s,]+/).filter((entry) => entry !== "")) {
      const at = entry.indexOf("=")
      const id = entry.slice(0, Math.max(0, at))
      const bytes = Base64.decode(entry.slice(at + 1))
      if (id === "" || Result.isFailure(bytes) || bytes.success.length !== 32) {
        // The value is a secret, so a message about it says its place only.
        return yield* invalid(
          `<redacted, entry ${keys.size + 1}>`,
          "\"id=key\" with a key of 32 bytes in Base64, as `openssl rand -base64 32` gives one"
        )
      }
      if (keys.has(id)) return yield* invalid(`"${id}" twice`, "each id once")
      keys.set(id, yield* keyOf(bytes.success))
    }
    const [current] = keys.keys()
    return current === undefined ? yield* invalid("nothing", "at least one \"id=key\"") : { current, keys }
  })

/** The bytes have been counted before. */
const keyOf = (bytes: Uint8Array): Effect.Effect<SubjectKeyValue> => Effect.orDie(Aead.key(Aead.aes256Gcm, bytes))

interface Entry {
  readonly found: Found
  readonly expiresAt: number
}

export interface Crypto {
  readonly aead: Aead.Aead["Service"]
  readonly random: SecureRandom.SecureRandom["Service"]
}

const utf8 = {
  encode: (text: string) => new TextEncoder().encode(text),
  decode: (bytes: Uint8Array) => new TextDecoder().decode(bytes)
}

/** Nonce and ciphertext in Base64. */
export interface Box {
  readonly nonce: string
  readonly text: string
}

export const encrypt = (
  { aead, random }: Crypto,
  key: SubjectKeyValue,
  text: string,
  binding: string
): Effect.Effect<Box> =>
  Effect.gen(function*() {
    const nonce = yield* random.randomBytes(12)
    const bytes = yield* aead.encrypt(key, utf8.encode(text), { nonce, aad: utf8.encode(binding) })
    return { nonce: Base64.encode(nonce), text: Base64.encode(bytes) }
  }).pipe(Effect.orDie)

/** `undefined` when the box was changed, moved, or made with another key. */
export const decrypt = (
  { aead }: Crypto,
  key: SubjectKeyValue,
  box: Box,
  binding: string
): Effect.Effect<string | undefined> => {
  const nonce = Base64.decode(box.nonce)
  const bytes = Base64.decode(box.text)
  if (Result.isFailure(nonce) || Result.isFailure(bytes)) return Effect.undefined
  return aead.decrypt(key, bytes.success, { nonce: nonce.success, aad: utf8.encode(binding) }).pipe(
    Effect.map(utf8.decode),
    Effect.catch((error) =>
      error.reason._tag === "DecryptionFailed" || error.reason._tag === "InvalidArgument"
        ? Effect.undefined
        : Effect.die(error)
    )
  )
}

export interface KeyRing {
  /** The keys of subjects that have one, or why not. */
  readonly find: (
    tenant: string,
    subjects: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyMap<string, Found>, StoreUnavailable>
  /** As `find`, and makes keys for subjects that have no row. */
  readonly require: (
    tenant: string,
    subjects: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyMap<string, Found>, StoreUnavailable>
  readonly forget: (tenant: string, subject: string) => Effect.Effect<void>
  /** Wraps keys again that are wrapped by an older master key; how many. */
  readonly rewrap: Effect.Effect<number, StoreUnavailable>
}

export const make = (
  crypto: Crypto,
  rows: SubjectKeys["Service"],
  unit: UnitOfWork["Service"],
  masters: MasterKeys,
  cache: { readonly capacity: number; readonly millis: number }
): KeyRing => {
  const entries = new Map<string, Entry>()
  /** Rises with each `forget`: an answer that was asked for before is too old to keep. */
  let epoch = 0
  const idOf = (tenant: string, subject: string) => JSON.stringify([tenant, subject])
  const wrapBinding = (tenant: string, subject: string) => JSON.stringify(["key", tenant, subject])

  const remember = (tenant: string, found: ReadonlyMap<string, Found>, asked: number, now: number) => {
    if (asked !== epoch || cache.millis === 0) return
    for (const [subject, value] of found) {
      if (value._tag === "Missing") continue
      const id = idOf(tenant, subject)
      entries.delete(id)
      entries.set(id, { found: value, expiresAt: now + cache.millis })
      const [oldest] = entries.keys()
      if (entries.size > cache.capacity && oldest !== undefined) entries.delete(oldest)
    }
  }

  /** The key in Base64; `undefined` where no master key of this process opens it. */
  const rawOf = (row: SubjectKey): Effect.Effect<string | undefined> => {
    const master = row.masterKey === undefined ? undefined : masters.keys.get(row.masterKey)
    const [nonce = "", text = ""] = row.wrapped?.split(".") ?? []
    return master === undefined
      ? Effect.undefined
      : decrypt(crypto, master, { nonce, text }, wrapBinding(row.tenant, row.subject))
  }

  const open = (row: SubjectKey): Effect.Effect<Found> => {
    if (row.wrapped === undefined || row.masterKey === undefined) return Effect.succeed({ _tag: "Shredded" })
    if (!masters.keys.has(row.masterKey)) {
      return Effect.succeed({
        _tag: "Missing",
        reason: `its key is wrapped by master key "${row.masterKey}", which is not configured`
      })
    }
    return Effect.flatMap(
      rawOf(row),
      (raw): Effect.Effect<Found> => {
        const bytes = raw === undefined ? undefined : Base64.decode(raw)
        return bytes === undefined || Result.isFailure(bytes) || bytes.success.length !== 32
          ? Effect.succeed({ _tag: "Missing", reason: `its key does not open with master key "${row.masterKey}"` })
          : Effect.map(keyOf(bytes.success), (key) => ({ _tag: "Key", key }))
      }
    )
  }

  const create = (tenant: string, subject: string) =>
    Effect.gen(function*() {
      const raw = Base64.encode(yield* crypto.random.randomBytes(32))
      return yield* rows.create(yield* wrap(tenant, subject, raw))
    })

  const wrap = (tenant: string, subject: string, raw: string) =>
    Effect.gen(function*() {
      const master = masters.keys.get(masters.current)
      if (master === undefined) return yield* Effect.die(new Error("the current master key is not there"))
      const box = yield* encrypt(crypto, master, raw, wrapBinding(tenant, subject))
      return { tenant, subject, wrapped: `${box.nonce}.${box.text}`, masterKey: masters.current }
    })

  const look = (tenant: string, subjects: ReadonlyArray<string>, creates: boolean) =>
    Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const asked = epoch
      const known = new Map<string, Found>()
      const unknown: Array<string> = []
      for (const subject of new Set(subjects)) {
        const entry = entries.get(idOf(tenant, subject))
        if (entry !== undefined && entry.expiresAt > now) known.set(subject, entry.found)
        else unknown.push(subject)
      }
      if (unknown.length === 0) return known
      const fresh = new Map<string, Found>()
      const stored = new Map((yield* rows.find(tenant, unknown)).map((row) => [row.subject, row]))
      // In one order, so that two transactions that make the same keys do not wait for each other.
      for (const subject of unknown.toSorted()) {
        const row = stored.get(subject) ?? (creates ? yield* create(tenant, subject) : undefined)
        fresh.set(subject, row === undefined ? { _tag: "Missing", reason: "it has no key" } : yield* open(row))
      }
      // What this transaction made is not there for others, or for ever, until it is committed.
      yield* unit.afterCommit(Effect.sync(() => remember(tenant, fresh, asked, now)))
      return new Map([...known, ...fresh])
    })

  return {
    find: (tenant, subjects) => look(tenant, subjects, false),
    require: (tenant, subjects) => look(tenant, subjects, true),
    forget: (tenant, subject) =>
      Effect.sync(() => {
        epoch++
        entries.delete(idOf(tenant, subject))
      }),
    rewrap: Effect.gen(function*() {
      const others = [...masters.keys.keys()].filter((id) => id !== masters.current)
      let count = 0
      while (others.length > 0) {
        const old = yield* rows.wrappedBy(others, 100)
        let moved = 0
        for (const row of old) {
          const raw = yield* rawOf(row)
          if (raw === undefined || row.wrapped === undefined) continue
          if (yield* rows.rewrap(yield* wrap(row.tenant, row.subject, raw), row.wrapped)) moved++
        }
        count += moved
        if (moved === 0) return count
      }
      return count
    })
  }
}
