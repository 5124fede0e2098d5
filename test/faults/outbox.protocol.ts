/** What outbox.test.ts and its processes agree on. */

/** Where the database is. */
export interface Where {
  readonly url?: string | undefined
  readonly path?: string | undefined
  readonly username?: string | undefined
  readonly database?: string | undefined
  readonly startupParameters?: Record<string, string> | undefined
}

export interface Published {
  readonly id: string
  readonly key: string
  readonly number: number
  readonly attempt: number
  readonly by: number
}

export const leaseMillis = 2000
