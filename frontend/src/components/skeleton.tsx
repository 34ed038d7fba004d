import type { ReactNode } from "react";

import { useT } from "../messages/i18n";

/** Gray shapes in place of content that is loading. `lines` is their number. */
export function Skeleton({ lines = 3, hasTitle = true }: { lines?: number; hasTitle?: boolean }): ReactNode {
  const t = useT();
  return (
    <div className="skeleton" role="status">
      <span className="visually-hidden">{t("loading")}</span>
      {hasTitle && <span className="skeleton-title" aria-hidden="true" />}
      {Array.from({ length: lines }, (_, line) => (
        <span key={line} className="skeleton-line" aria-hidden="true" />
      ))}
    </div>
  );
}
