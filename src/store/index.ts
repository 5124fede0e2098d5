export * as EventStore from "./EventStore.ts"
export * as IdempotencyStore from "./IdempotencyStore.ts"
export * as StateStore from "./StateStore.ts"
export * as UnitOfWork from "./UnitOfWork.ts"
