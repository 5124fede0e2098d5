/** What a store has undone because of what others did at that moment, and not because of what it was asked. */
import { StoreUnavailable } from "../UnitOfWork.ts"

/** The whole transaction is gone, and nothing of it was kept: whoever began it can do all of it again. */
export class Undone extends StoreUnavailable {}
