/**
 * 01.1 Which layer spoke?
 *
 * Six requests failed. All that is left of each is what the client kept: what `curl` said where no answer came, else the
 * status line, two headers and the body. Say which layer spoke, and which part of the capture gives it away.
 *
 * The house: a load balancer in front (it puts its own name into the `Server` header, but only on answers that it makes
 * itself), then nginx (it puts its name there on every answer, also on those it only passes on), then an application that
 * answers in JSON whatever happens. No layer here speaks for another.
 *
 * Do: fill in `answers`. `layer` is one of the fifteen names of `Stage`. `evidence` is the one part of the capture that
 * gives this layer away. Ask which other layer could have sent the same status, and what it would have written otherwise: a
 * part that looks the same from both decides nothing. Where nobody answered, the client's own words are all there is.
 *
 * Check: `npm run learn`. Look: `npx tsx workspace/01-reading-a-failure/01-which-layer-spoke/exercise.ts`.
 */
import { Failure, type Stage } from "effect-lifecycle/lifecycle"

/** What is left of a failed request. */
export interface Capture {
  /** What the client said when no answer came. */
  readonly error?: string
  readonly status?: string
  readonly server?: string
  readonly contentType?: string
  readonly body?: string
}

export const captures = {
  lost: {
    error: "curl: (6) Could not resolve host: orders.shop.test"
  },
  heavy: {
    status: "HTTP/1.1 413 Request Entity Too Large",
    server: "nginx/1.27.3",
    contentType: "text/html",
    body:
      "<html><head><title>413 Request Entity Too Large</title></head><body>...<center>nginx/1.27.3</center></body></html>"
  },
  broken: {
    status: "HTTP/1.1 502 Bad Gateway",
    server: "nginx/1.27.3",
    contentType: "text/html",
    body: "<html><head><title>502 Bad Gateway</title></head><body>...<center>nginx/1.27.3</center></body></html>"
  },
  wrong: {
    status: "HTTP/1.1 422 Unprocessable Content",
    server: "nginx/1.27.3",
    contentType: "application/problem+json",
    body:
      "{\"title\":\"Unprocessable Content\",\"errors\":[{\"pointer\":\"/email\",\"detail\":\"is not an email address\"}]}"
  },
  missing: {
    status: "HTTP/1.1 404 Not Found",
    server: "nginx/1.27.3",
    contentType: "application/problem+json",
    body: "{\"title\":\"Not Found\",\"detail\":\"no route for GET /orderz/42\"}"
  },
  slow: {
    status: "HTTP/1.1 504 Gateway Time-out",
    server: "awselb/2.0",
    contentType: "text/html",
    body: "<html><head><title>504 Gateway Time-out</title></head><body><h1>504 Gateway Time-out</h1></body></html>"
  }
} satisfies Record<string, Capture>

/** A layer, and the part of the capture that names it. */
export interface Answer {
  readonly layer: Stage.StageName | "todo"
  readonly evidence: keyof Capture | "todo"
}

export const answers: { readonly [name in keyof typeof captures]: Answer } = {
  lost: { layer: "todo", evidence: "todo" },
  heavy: { layer: "todo", evidence: "todo" },
  broken: { layer: "todo", evidence: "todo" },
  wrong: { layer: "todo", evidence: "todo" },
  missing: { layer: "todo", evidence: "todo" },
  slow: { layer: "todo", evidence: "todo" }
}

if (import.meta.main) {
  for (const [name, capture] of Object.entries(captures)) {
    console.log(`\n${name}`)
    for (const [part, text] of Object.entries(capture)) console.log(`  ${part.padEnd(11)} ${text}`)
  }
  // What this library knows to go wrong at the layers that you have named.
  for (const [name, { layer }] of Object.entries(answers)) {
    if (layer === "todo") continue
    console.log(`\n${name}, ${layer}`)
    for (const { cause, failure } of Failure.forStage(layer)) console.log(`  ${failure}: ${cause}`)
  }
  const open = Object.values(answers).filter((answer) => answer.layer === "todo" || answer.evidence === "todo")
  console.log(`\n${open.length} of ${Object.keys(answers).length} answers are still to be filled in.`)
}
