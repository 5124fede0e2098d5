/**
 * The rooms that need nothing but `effect`. The others have subpaths of their own.
 *
 * @since 0.1.0
 */
export * from "./domain/index.ts"
export * from "./lifecycle/index.ts"
export * from "./request/index.ts"
export * from "./resilience/index.ts"
export * from "./store/index.ts"
