/** `npm start`: the tour, in a terminal or, with `--plain`, anywhere. */
import { run } from "./run.ts"

run()
