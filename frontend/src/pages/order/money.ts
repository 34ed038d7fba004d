export interface Price {
  /** In the major unit, exact. */
  amount: string;
  /** In the smallest unit of the currency. */
  minor: number;
  currency: string;
}

/** Returns an amount of the same currency as `like`. `minor` is in its smallest unit. */
export function moneyOf(minor: number, like: Price): Price {
  const digits = like.amount.split(".")[1]?.length ?? 0;
  return { amount: (minor / 10 ** digits).toFixed(digits), minor, currency: like.currency };
}
