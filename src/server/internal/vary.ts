/**
 * Lists of header names, as `Vary` has them.
 */

/** `list` with `names` at its end, each name once; a list with `*` says all there is to say. */
export const joined = (list: string | undefined, names: string): string => {
  if (list === undefined || list === names) return names
  const known = list.toLowerCase().split(",").map((name) => name.trim())
  if (known.includes("*")) return list
  const added = names.split(",").map((name) => name.trim()).filter((name) => !known.includes(name.toLowerCase()))
  return added.length === 0 ? list : `${list}, ${added.join(", ")}`
}
