/** Every topic, by its source. */
import { aioBreaker } from "./aioBreaker.ts"
import { aioClient } from "./aioClient.ts"
import { aioServer } from "./aioServer.ts"
import { cqrsBreaker } from "./cqrsBreaker.ts"
import { cqrsEvents } from "./cqrsEvents.ts"
import { cqrsFallback } from "./cqrsFallback.ts"
import { cqrsStreams } from "./cqrsStreams.ts"
import { deadlines } from "./deadlines.ts"
import { delays } from "./delays.ts"
import { lessonDiagnosis } from "./lessonDiagnosis.ts"
import { lessonServer } from "./lessonServer.ts"
import { priority } from "./priority.ts"
import { strategies } from "./strategies.ts"
import { verdicts } from "./verdicts.ts"

export const aioRequest = [deadlines, priority, verdicts, delays, strategies, aioBreaker, aioClient, aioServer]

export const pythonCqrs = [cqrsFallback, cqrsStreams, cqrsBreaker, cqrsEvents]

export const lesson = [lessonServer, lessonDiagnosis]
