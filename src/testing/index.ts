/**
 * The lab: what tests, exercises and examples need that production does not.
 *
 * @since 0.1.0
 */
export * as AggregateSpec from "./AggregateSpec.ts"
export * as Database from "./Database.ts"
export * as EmbeddedPostgres from "./EmbeddedPostgres.ts"
export * as FakeUpstream from "./FakeUpstream.ts"
export * as FaultySql from "./FaultySql.ts"
export * as ProjectionSpec from "./ProjectionSpec.ts"
export * as SagaSpec from "./SagaSpec.ts"
