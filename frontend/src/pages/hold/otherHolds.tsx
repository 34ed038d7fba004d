/** Further holds at the same concert, so that no tickets are kept from others by mistake. */

import { useState, type ReactNode } from "react";

import type { Problem } from "../../api/outcome";
import { Button } from "../../components/button";
import { Notice } from "../../components/notice";
import { useRefusal } from "../../messages/refusals";
import { useT } from "./messages";
import type { Concert } from "./stage";
import { useHolding } from "./useHolding";
import type { HoldPage } from "./useHoldPage";

export function OtherHolds({ page, concert }: { page: HoldPage; concert: Concert }): ReactNode {
  const t = useT();
  const refusal = useRefusal();
  const holding = useHolding(concert);
  const [problem, setProblem] = useState<Problem | null>(null);
  const { otherHolds } = page;
  if (otherHolds.length === 0 || page.stage === "buying") return null;
  const count = otherHolds.flatMap(({ lines }) => lines).reduce((sum, { quantity }) => sum + quantity, 0);

  async function release(): Promise<void> {
    for (const { id } of otherHolds) {
      const outcome = await holding.release(id);
      setProblem(outcome.problem ?? null);
    }
    page.refresh();
  }

  return (
    <Notice
      title={t("others.title", { count })}
      actions={
        <Button variant="secondary" isPending={holding.isPending} onPress={() => void release()}>
          {t("others.release")}
        </Button>
      }
    >
      <p>{t("others.text")}</p>
      {problem && <p>{refusal(problem)}</p>}
    </Notice>
  );
}
