/** Which streams belong to a share: by the stream's own number, so that no join and no function of a version is needed. */

/**
 * Numbers are given out one after the other, and applications make streams in patterns, such as an order and its payment.
 * Multiplying by 2^32 over the golden ratio and taking the middle bits spreads neighbours over all shares.
 */
export const inShare = (column: string, share: { readonly of: number; readonly index: number }): string =>
  `((((${column} & 2147483647) * 2654435761) >> 16) & 65535) % ${Math.trunc(share.of)} = ${Math.trunc(share.index)}`
