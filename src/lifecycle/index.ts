export * as Recorder from "./Recorder.ts"
export * as Stage from "./Stage.ts"
