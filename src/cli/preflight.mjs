/**
 * Says which Node is needed before any TypeScript is read, in JavaScript that every Node since 12 understands.
 */
const needed = [22, 19]
const found = process.versions.node.split(".").map(Number)

if (found[0] < needed[0] || (found[0] === needed[0] && found[1] < needed[1])) {
  process.stderr.write(
    "effect-lifecycle needs Node " + needed.join(".") + " or newer, but this is Node " + process.versions.node + " (" +
      process.execPath + ").\n" +
      "In a clone, run `npm ci` and then start it through npm (`npm start`, `npm test`, `npx lifecycle`): npm then uses\n" +
      "the Node that is installed with the project. Elsewhere, install Node " + needed.join(".") + " or newer.\n"
  )
  process.exit(1)
}
