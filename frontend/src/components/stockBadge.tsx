import type { ReactNode } from "react";

import { useT } from "../messages/i18n";

/** Below this number, the badge says how many tickets are left. */
const FEW = 20;

/** How many tickets are left. `available` is null while the stock is unknown. */
export function StockBadge({ available, soldOut }: { available: number | null; soldOut: boolean }): ReactNode {
  const t = useT();
  if (soldOut || available === 0) return <span className="badge badge-off">{t("stock.soldOut")}</span>;
  if (available === null) return null;
  if (available <= FEW) return <span className="badge badge-few">{t("stock.few", { count: available })}</span>;
  return <span className="badge badge-plenty">{t("stock.available")}</span>;
}
