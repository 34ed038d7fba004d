/** Why a request was refused, and the button for the next step. */

import type { ReactNode } from "react";

import type { Problem } from "../../api/outcome";
import { Button, LinkButton } from "../../components/button";
import { DateTime } from "../../components/dateTime";
import { Notice } from "../../components/notice";
import { useRefusal } from "../../messages/refusals";
import { useSession } from "../../shop/session";
import { useT } from "./messages";
import type { Concert } from "./stage";

export function RefusalNotice({ problem, concert }: { problem: Problem; concert: Concert }): ReactNode {
  const t = useT();
  const refusal = useRefusal();
  const tier = concert.tiers.find(({ id }) => id === problem.tierId);
  const nextReleaseAt = typeof problem.nextReleaseAt === "string" ? problem.nextReleaseAt : null;
  return (
    <Notice tone="danger" title={tier?.name} actions={<NextStep problem={problem} concert={concert} />}>
      <p>{detailOf(problem, t) ?? refusal(problem)}</p>
      {nextReleaseAt && (
        <p>
          {t("refused.nextRelease")} <DateTime value={nextReleaseAt} timeZone={null} format="time" />
        </p>
      )}
    </Notice>
  );
}

/** A sentence with numbers that only this page has a place for. */
function detailOf(problem: Problem, t: ReturnType<typeof useT>): string | null {
  if (problem.code === "LIMIT_EXCEEDED" && problem.scope === "PERSON") {
    const { limit, held, owned } = problem as unknown as Record<string, number>;
    return t("refused.limitOfPerson", { limit: limit ?? 0, held: held ?? 0, owned: owned ?? 0 });
  }
  return null;
}

function NextStep({ problem, concert }: { problem: Problem; concert: Concert }): ReactNode {
  const t = useT();
  const { signIn } = useSession();
  if (problem.code === "UNAUTHENTICATED" || problem.code === "SESSION_LOST") {
    return <Button onPress={signIn}>{t("session.signIn")}</Button>;
  }
  if (problem.code === "NOT_ADMITTED") {
    return <LinkButton href={`/concerts/${concert.slug}/queue`}>{t("toQueue")}</LinkButton>;
  }
  if (problem.code === "LIMIT_EXCEEDED") return <LinkButton href="/tickets">{t("toTickets")}</LinkButton>;
  if (problem.code === "NOT_ON_SALE") return <LinkButton href={`/concerts/${concert.slug}`}>{t("toConcert")}</LinkButton>;
  return null;
}
