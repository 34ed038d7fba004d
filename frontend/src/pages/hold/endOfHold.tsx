/** Why the last hold has ended. The choice is kept, so the person can try again at once. */

import { useEffect, type ReactNode } from "react";

import { useAnnounce } from "../../components/announce";
import { LinkButton } from "../../components/button";
import { Notice } from "../../components/notice";
import { useT } from "./messages";
import type { Hold } from "./stage";

const KNOWN: ReadonlySet<string> = new Set(["EXPIRED", "PASS_SPENT", "ORDER_ENDED", "CONCERT_CANCELLED"]);

export function EndOfHold({ hold }: { hold: Hold | null | undefined }): ReactNode {
  const t = useT();
  const announce = useAnnounce();
  const reason = hold?.state === "ENDED" && hold.reason !== "RELEASED" ? (hold.reason ?? "OTHER") : null;
  const key = reason && (KNOWN.has(reason) ? reason : "OTHER");
  const title = key ? t(`end.${key}.title` as "end.OTHER.title") : "";
  useEffect(() => {
    if (title) announce(title, "assertive");
  }, [title, announce]);
  if (!key) return null;
  return (
    <Notice
      tone="warning"
      title={title}
      actions={
        key === "ORDER_ENDED" || key === "PASS_SPENT" ? (
          <LinkButton variant="secondary" href="/tickets">
            {t("toTickets")}
          </LinkButton>
        ) : undefined
      }
    >
      {t(`end.${key}.text` as "end.OTHER.text")}
    </Notice>
  );
}
