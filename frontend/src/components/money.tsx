import type { ReactNode } from "react";

import { useFormat } from "../messages/format";

export interface MoneyValue {
  /** In the major unit, exact, as in the API's `Money.amount`. */
  amount: string;
  currency: string;
}

export function Money({ value }: { value: MoneyValue }): ReactNode {
  return <span className="money tabular">{useFormat().money(value.amount, value.currency)}</span>;
}
