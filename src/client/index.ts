export * as ClientStack from "./ClientStack.ts"
export * as IdempotencyKey from "./IdempotencyKey.ts"
export * as Probe from "./Probe.ts"
