// fails: a - counts a user before anybody was recognised
import { predictions as right } from "../solution.ts"

export const predictions = { ...right, stack: "RequestIds limitByAddress limitByUser Authentication" }
