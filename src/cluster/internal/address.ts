/** The id of an entity: that of its aggregate, with the tenant where there is one. */

export interface Place {
  readonly tenant: string
  readonly id: string
}

/** No two places have one id: what begins with the mark always has a tenant, even if an empty one. */
const mark = "@"

export const entityIdOf = ({ id, tenant }: Place): string =>
  tenant === "" && !id.startsWith(mark) ? id : `${mark}${encodeURIComponent(tenant.toWellFormed())}:${id}`

export const placeOf = (entityId: string): Place => {
  const end = entityId.indexOf(":")
  return entityId.startsWith(mark) && end > 0
    ? { tenant: decodeURIComponent(entityId.slice(1, end)), id: entityId.slice(end + 1) }
    : { tenant: "", id: entityId }
}
