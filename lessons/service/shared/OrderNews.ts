/** What orders tells users about an order: the message that both agree on. */
import { Schema } from "effect"
import { UserId } from "../users/model.ts"

export const OrderNews = Schema.Struct({
  orderId: Schema.String.check(Schema.isMinLength(1)),
  userId: UserId,
  what: Schema.Literals(["placed", "cancelled"])
})
export type OrderNews = typeof OrderNews.Type
