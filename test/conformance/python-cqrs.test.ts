/** What python-cqrs 4.10.3 does, and whether we do the same. */
import { test } from "./ported.ts"
import { pythonCqrs } from "./ported/topics.ts"

test(pythonCqrs)
