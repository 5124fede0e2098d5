export * as CircuitBreaker from "./CircuitBreaker.ts"
export * as Fallback from "./Fallback.ts"
export * as InvalidOption from "./InvalidOption.ts"
export * as RetrySchedule from "./RetrySchedule.ts"
