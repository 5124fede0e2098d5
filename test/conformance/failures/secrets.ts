/** What no log may hold. Each client sends all of it, where the row does not say otherwise. */
export const bearer = "canary-token-51d0"
export const secrets = {
  token: bearer,
  cookie: "canary-cookie-88a1",
  query: "canary-query-0c4e",
  body: "canary-body-3f77"
} as const
