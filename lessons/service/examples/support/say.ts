/** The two kinds of lines that every example prints. */

/** What the page that an example comes from prints, or claims. */
export const source = (text: string): void => console.log(`source: ${text}`)

/** What this program has just done. */
export const ours = (text: string): void => console.log(`ours:   ${text}`)
