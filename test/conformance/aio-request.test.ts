/** What aio-request 0.2.6 does, and whether we do the same. */
import { test } from "./ported.ts"
import { aioRequest } from "./ported/topics.ts"

test(aioRequest)
