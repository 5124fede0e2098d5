/**
 * The rooms that need nothing but `effect`. The others have subpaths of their own.
 *
 * @since 0.1.0
 */
export * from "./lifecycle/index.ts"
export * from "./store/index.ts"
