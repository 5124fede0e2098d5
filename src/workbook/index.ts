export * as Catalogue from "./Catalogue.ts"
export * as Grader from "./Grader.ts"
export * as Verdict from "./Verdict.ts"
export * as Workspace from "./Workspace.ts"
