import type { ReactNode } from "react";
import type { CombinedError } from "urql";

import { problemOf } from "../../api/outcome";
import { Button, LinkButton } from "../../components/button";
import { Notice } from "../../components/notice";
import { useSession } from "../../shop/session";
import { useT } from "./text";

export interface OrderProblemProps {
  error: CombinedError | undefined;
  onRetry(): void;
}

/** Says why there is no order to show, and what to do next. */
export function OrderProblem({ error, onRetry }: OrderProblemProps): ReactNode {
  const t = useT();
  const { session, isKnown, signIn } = useSession();
  const code = error && problemOf(error).code;
  if (code === "UNAUTHENTICATED" || code === "SESSION_LOST" || (isKnown && !session && code !== "UNREACHABLE")) {
    return (
      <Notice title={t("order.signIn")} actions={<Button onPress={signIn}>{t("order.signInButton")}</Button>}>
        {t("order.signInText")}
      </Notice>
    );
  }
  // An id that is not one of ours is a mistake in the address, as is the id of another's order.
  if (!code || code === "BAD_USER_INPUT" || code === "INVALID_INPUT" || code === "FORBIDDEN") {
    return (
      <Notice title={t("order.notFound")} actions={<LinkButton href="/tickets">{t("order.myTickets")}</LinkButton>}>
        {t("order.notFoundText")}
      </Notice>
    );
  }
  return (
    <Notice tone="danger" title={t("order.failed")} actions={<Button onPress={onRetry}>{t("order.tryAgain")}</Button>}>
      {t("order.failedText")}
    </Notice>
  );
}
