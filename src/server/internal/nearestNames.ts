/** Of the names there are, the few that somebody may have meant: what a refusal shows beside a name that is none. */
export const nearest = (text: string, names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const asked = plain(text)
  return [...new Set(names)]
    .map((name) => ({ name, distance: distance(asked, plain(name)) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, most)
    .map(({ name }) => name)
}

const most = 3

/** What parameters are called tells nothing. */
const plain = (name: string): string => name.toLowerCase().replaceAll(/:[^/]*/g, ":")

/** How many characters have to be put in, taken out or changed. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(
        (row[j] ?? 0) + 1,
        (next[j - 1] ?? 0) + 1,
        (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      ))
    }
    row = next
  }
  return row[b.length] ?? 0
}
