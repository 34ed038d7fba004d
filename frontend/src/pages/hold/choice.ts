/** How many tickets of each tier a person wants, within the rules, and what they cost. */

import type { Tier } from "./stage";

export type Quantities = Readonly<Record<string, number>>;

export interface Price {
  amount: string;
  minor: number;
  currency: string;
}

export interface Rules {
  limitPerOrder: number;
  /** Tickets of each tier in the person's own hold, which are free for the person. */
  mine: Quantities;
}

export type Limit = "available" | "tier" | "order";

export interface Bounds {
  min: number;
  max: number;
  /** What limits `max`. */
  limit: Limit;
}

/** The numbers of tickets of one tier that can be chosen, beside what is chosen of the others. */
export function boundsOf(tier: Tier, quantities: Quantities, rules: Rules): Bounds {
  const others = countOf(quantities) - (quantities[tier.id] ?? 0);
  const candidates: [number, Limit][] = [
    [tier.maxPerOrder ?? Number.POSITIVE_INFINITY, "tier"],
    [rules.limitPerOrder - others, "order"],
    [freeOf(tier, rules.mine), "available"],
  ];
  const [max, limit] = candidates.reduce((least, next) => (next[0] < least[0] ? next : least));
  return { min: tier.minPerOrder, max: Math.max(max, 0), limit };
}

export function freeOf(tier: Tier, mine: Quantities): number {
  return (tier.available ?? 0) + (mine[tier.id] ?? 0);
}

/** A step goes over the numbers between 0 and the tier's minimum, which cannot be ordered. */
export function stepped(quantity: number, by: 1 | -1, { min, max }: Bounds): number {
  const next = quantity + by;
  if (by < 0) return next < min ? 0 : next;
  const wanted = Math.max(next, min);
  return wanted > max ? quantity : wanted;
}

/** The allowed number next to one that was typed. */
export function clamped(quantity: number, { min, max }: Bounds): number {
  const whole = Number.isFinite(quantity) ? Math.trunc(quantity) : 0;
  if (whole <= 0 || max < min) return 0;
  return Math.min(Math.max(whole, min), max);
}

export function countOf(quantities: Quantities): number {
  return Object.values(quantities).reduce((sum, quantity) => sum + quantity, 0);
}

export interface Line {
  tierId: string;
  quantity: number;
}

/** The lines of a request, always in the same order, so that the same choice is the same attempt. */
export function linesOf(quantities: Quantities, tiers: readonly Tier[]): Line[] {
  return tiers
    .map(({ id }) => ({ tierId: id, quantity: quantities[id] ?? 0 }))
    .filter(({ quantity }) => quantity > 0);
}

/** The total in the currency of the prices. `minor` is exact; `amount` has the digits of the prices. */
export function totalOf(quantities: Quantities, tiers: readonly Tier[]): Price | null {
  const first = tiers[0]?.price;
  if (!first) return null;
  const minor = tiers.reduce((sum, { id, price }) => sum + price.minor * (quantities[id] ?? 0), 0);
  return { minor, amount: amountOf(minor, first.amount), currency: first.currency };
}

/** Writes minor units with as many digits after the point as `like` has. */
export function amountOf(minor: number, like: string): string {
  const digits = like.split(".")[1]?.length ?? 0;
  if (digits === 0) return String(minor);
  const text = String(minor).padStart(digits + 1, "0");
  return `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

export type TierState = "open" | "soldOut" | "withdrawn" | "notOpen" | "saleEnded";

export function stateOf(tier: Tier, mine: Quantities, now: number): TierState {
  if (tier.salesStartAt && Date.parse(tier.salesStartAt) > now) return "notOpen";
  if (tier.salesEndAt && Date.parse(tier.salesEndAt) <= now) return "saleEnded";
  if (tier.isWithdrawn && !mine[tier.id]) return "withdrawn";
  return freeOf(tier, mine) === 0 ? "soldOut" : "open";
}
