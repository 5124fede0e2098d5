/** Which text a store can hold, and in which order it puts it. */

/**
 * PostgreSQL's `text` holds neither NUL nor half a surrogate pair. A name with one was never stored, so a look-up of it
 * answers "not there" instead of failing.
 */
export const isStorable = (text: string): boolean => !text.includes("\0") && text.isWellFormed()

/** By code point, as PostgreSQL's collation "C" does; JavaScript's `<` compares UTF-16 units. */
export const compareText = (left: string, right: string): number => {
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index++) {
    const a = left.charCodeAt(index)
    const b = right.charCodeAt(index)
    if (a !== b) return rank(a) - rank(b)
  }
  return left.length - right.length
}

/** Surrogates stand for code points above every other one. */
const rank = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit)
