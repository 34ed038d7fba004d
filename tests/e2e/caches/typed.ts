// Uses the types that codegen.mjs generated, and is only compiled.
import type { TypedDocumentNode } from 'urql';

import { ShopPageQueryDocument } from './build/types-of-sdl/graphql';
import type { ShopBuyMutationMutation, ShopOrderQueryQuery, ShopPageQueryQuery } from './build/types-of-sdl/graphql';

export const page: TypedDocumentNode<ShopPageQueryQuery, { id: string }> = ShopPageQueryDocument;

export function priceOf({ concert }: ShopPageQueryQuery): number | undefined {
  return concert?.tiers[0]?.price.minor;
}

export function joinedAt({ concert }: ShopPageQueryQuery): string | undefined {
  return concert?.myQueueEntry?.joinedAt;
}

export function outcome({ purchaseTickets: result }: ShopBuyMutationMutation): string {
  return result.__typename === 'PurchaseTicketsSuccess' ? result.order.number : result.message;
}

export function statusOf({ order }: ShopOrderQueryQuery): string {
  // @ts-expect-error `order` is null for an order of another person
  return order.status;
}
