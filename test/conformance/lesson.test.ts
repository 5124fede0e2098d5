/** What the lesson on the life of a request teaches, and whether we do the same. */
import { test } from "./ported.ts"
import { lesson } from "./ported/topics.ts"

test(lesson)
