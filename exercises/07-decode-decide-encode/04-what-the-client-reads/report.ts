/** The report of the day's orders in three forms. Given; there is nothing to change here. */

/** A form of the report. */
export interface Form {
  /** A media type without parameters, in lower case. */
  readonly type: string
  readonly body: string
}

export const json: Form = { type: "application/json", body: `[{"order":7,"cents":1999}]` }
export const csv: Form = { type: "text/csv", body: "order,cents\n7,1999\n" }
export const html: Form = { type: "text/html", body: "<table><tr><td>7<td>19.99</table>" }

/** What the server likes best comes first. */
export const forms: readonly [Form, ...Array<Form>] = [json, csv, html]
