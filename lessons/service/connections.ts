/** Whether the pools of all processes together may ask PostgreSQL for more connections than it grants. */
import { Config, Effect, Schema } from "effect"

export class InvalidCount extends Schema.TaggedError<InvalidCount>()("InvalidCount", {
  what: Schema.String,
  given: Schema.String,
  maximum: Schema.Int
}) {
  override get message(): string {
    return `${this.what} is "${this.given}": set it to a whole number from 1 to ${this.maximum}.`
  }
}

export const whole = (what: string, given: string | number, maximum: number): Effect.Effect<number, InvalidCount> => {
  const count = Number(given)
  return /^\d{1,5}$/.test(String(given)) && count >= 1 && count <= maximum
    ? Effect.succeed(count)
    : new InvalidCount({ what, given: String(given), maximum })
}

/** The most connections that one service has to its database, in one process. */
export const poolSize = Config.String("POOL_SIZE").pipe(
  Config.withDefault("10"),
  Effect.flatMap((given) => whole("POOL_SIZE", given, 1000))
)

export interface Asked {
  readonly processes: number
  readonly poolSize: number
}

const services = 3

/** The connection on which a service hears what others write is one of its pool. */
export const needed = ({ poolSize, processes }: Asked): number => processes * services * poolSize

/** Nothing where there are enough. */
export const warning = (asked: Asked, granted: number): string | undefined =>
  needed(asked) <= granted
    ? undefined
    : `${asked.processes} x ${services} services with a pool of ${asked.poolSize} each may open ${needed(asked)} ` +
      `connections, and PostgreSQL grants ${granted} (max_connections, less what it keeps for superusers): ` +
      "under load it will refuse some. Set POOL_SIZE lower, start fewer workers, or raise max_connections."
