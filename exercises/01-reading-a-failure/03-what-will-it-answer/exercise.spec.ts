import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { check } from "../../support.ts"
import { requests, run } from "./app.ts"
import { predictions } from "./exercise.ts"

type Name = keyof typeof requests

const names = Object.keys(requests) as Array<Name>

const about: { readonly [name in Name]: { readonly status: string; readonly way: string } } = {
  found: {
    status: "what does a handler that succeeds answer with?",
    way: "does anything stop this request before the handler, or its answer on the way out?"
  },
  missing: {
    status: "which status does the declared error carry?",
    way: "the error is declared on the endpoint, so who turns it into an answer, and is that inside the middleware?"
  },
  misspelled: {
    status: "who answers for a path that no route has?",
    way: "the middleware stands around routes; which route is this request's?"
  },
  wrongMethod: {
    status: "which of the two servers looks for the other methods of a path?",
    way: "no route has this path with this method, so what stands around it?"
  },
  noFields: {
    status: "this body was read, and its fields are wrong; which of the two servers says so with a number of its own?",
    way: "is a body decoded before the handler or in it, and is what comes out of that an answer or a failure?"
  },
  cutOff: {
    status: "is this about fields, or could the body not even be read?",
    way: "is a body read before the handler or in it, and is what comes out of that an answer or a failure?"
  },
  aForm: {
    status: "the endpoint takes JSON, and this body says that it is none; which number is kept for that?",
    way: "the endpoint answers this one itself: is it a failure to whoever stands around it?"
  },
  bug: {
    status: "whose fault is a defect, the caller's or the server's?",
    way: "a defect goes up through everything; what happens to plain code that stands behind `yield* next`?"
  },
  undeclared: {
    status: "what can the server say of an error that nobody mapped to a status?",
    way:
      "nobody inside the middleware turned the error into an answer; what happens to plain code behind `yield* next`?"
  },
  stopped: {
    status: "the handler was interrupted: is that a bug, or a server that is letting go?",
    way: "an interruption goes up like a failure; what happens to plain code behind `yield* next`?"
  }
}

describe("a: the status, from Effect's own router and from the stack", () => {
  for (const name of names) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const { bare, stack } = predictions[name]
        check(bare !== 0 && stack !== 0, `Nothing is predicted for the two statuses of "${name}" yet.`)
        const seen = (yield* run)[name]
        const wrong = [
          ...bare === seen.bare ? [] : [`${bare} from the bare router`],
          ...stack === seen.stack ? [] : [`${stack} from the stack`]
        ]
        check(wrong.length === 0, `"${name}" is not answered with ${wrong.join(" and ")}. Ask: ${about[name].status}`)
      }))
  }
})

describe("b: how far each request came, and who saw it leave", () => {
  for (const name of names) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const { after, handler } = predictions[name]
        check(handler !== "todo" && after !== "todo", `Nothing is predicted for the way of "${name}" yet.`)
        const seen = (yield* run)[name]
        const wrong = [
          ...handler === seen.handler ? [] : [handler ? "its handler does not run" : "its handler does run"],
          ...after === seen.after ? [] : [after ? "the after-part does not run" : "the after-part does run"]
        ]
        check(wrong.length === 0, `About "${name}": ${wrong.join(", and ")}. Ask: ${about[name].way}`)
      }))
  }
})
