export * as AggregateEntity from "./AggregateEntity.ts"
export * as ClusterError from "./ClusterError.ts"
