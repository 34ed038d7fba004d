/** The status of an order in the words of the pages. */

const KNOWN = [
  "PENDING_PAYMENT",
  "CANCELING",
  "PAID",
  "FULFILLED",
  "PAYMENT_FAILED",
  "EXPIRED",
  "CANCELLED",
  "LATE_PAYMENT",
  "REFUND_PENDING",
  "REFUNDED",
  "DISPUTE_LOST",
] as const;

/** `unknown` is a status that a later release of the server has added. */
export type ShownStatus = (typeof KNOWN)[number] | "unknown";

interface WithStatus {
  status: string;
  cancelRequestedAt: string | null;
}

export function shownStatus({ status, cancelRequestedAt }: WithStatus): ShownStatus {
  if (status === "PENDING_PAYMENT" && cancelRequestedAt) return "CANCELING";
  return KNOWN.find((known) => known === status) ?? "unknown";
}
