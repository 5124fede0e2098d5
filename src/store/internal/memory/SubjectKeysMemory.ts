/** `SubjectKeys` in the database of this process. */
import { Clock, HashMap, Option } from "effect"
import type { StoredEvent } from "../../EventStore.ts"
import { type SubjectKey, SubjectKeys } from "../../SubjectKeys.ts"
import { compareText } from "../text.ts"
import type { Database, State } from "./Database.ts"

export const make = (database: Database): SubjectKeys["Service"] =>
  SubjectKeys.of({
    find: (tenant, subjects) =>
      database.read((state) =>
        subjects.flatMap((subject) => Option.toArray(HashMap.get(state.subjectKeys, idOf(tenant, subject))))
      ),
    create: (key) =>
      database.write((state) => {
        const found = HashMap.get(state.subjectKeys, idOf(key.tenant, key.subject))
        if (Option.isSome(found)) return [found.value, state]
        const made: SubjectKey = { ...key, shreddedAt: undefined }
        return [made, withKey(state, made)]
      }),
    shred: (tenant, subject) =>
      database.write((state, fiber) => {
        const before = Option.getOrUndefined(HashMap.get(state.subjectKeys, idOf(tenant, subject)))
        const shreddedAt = before?.shreddedAt ?? new Date(fiber.getRef(Clock.Clock).currentTimeMillisUnsafe())
        const tombstone = { tenant, subject, wrapped: undefined, masterKey: undefined, shreddedAt }
        return [before?.wrapped !== undefined, withKey(state, tombstone)]
      }),
    note: (stream, subjects) =>
      database.write((state) => {
        let { subjectStreams } = state
        for (const subject of subjects) {
          const id = idOf(stream.tenant, subject)
          const known = Option.getOrElse(HashMap.get(subjectStreams, id), () => [])
          if (known.some((other) => isSame(other, stream))) continue
          subjectStreams = HashMap.set(subjectStreams, id, [...known, stream].toSorted(compare))
        }
        return [undefined, { ...state, subjectStreams }]
      }),
    streams: (tenant, subject) =>
      database.read((state) => Option.getOrElse(HashMap.get(state.subjectStreams, idOf(tenant, subject)), () => [])),
    wrappedBy: (masterKeys, limit) =>
      database.read((state) =>
        Array.from(HashMap.values(state.subjectKeys))
          .filter(({ masterKey }) => masterKey !== undefined && masterKeys.includes(masterKey))
          .slice(0, limit)
      ),
    rewrap: ({ masterKey, subject, tenant, wrapped }, before) =>
      database.write((state) => {
        const found = Option.getOrUndefined(HashMap.get(state.subjectKeys, idOf(tenant, subject)))
        return found === undefined || found.wrapped !== before
          ? [false, state]
          : [true, withKey(state, { ...found, wrapped, masterKey })]
      })
  })

const idOf = (tenant: string, subject: string): string => JSON.stringify([tenant, subject])

const withKey = (state: State, key: SubjectKey): State => ({
  ...state,
  subjectKeys: HashMap.set(state.subjectKeys, idOf(key.tenant, key.subject), key)
})

type Named = StoredEvent["stream"]

const isSame = (left: Named, right: Named): boolean => left.category === right.category && left.id === right.id

const compare = (left: Named, right: Named): number =>
  compareText(left.category, right.category) || compareText(left.id, right.id)
