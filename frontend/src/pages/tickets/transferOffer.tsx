import { useState, type ReactNode } from "react";
import { useMutation } from "urql";

import { outcomeOf, type Problem } from "../../api/outcome";
import { useAnnounce } from "../../components/announce";
import { Button } from "../../components/button";
import { Notice } from "../../components/notice";
import { useFormat } from "../../messages/format";
import { useRefusal } from "../../messages/refusals";
import { CancelTicketTransfer } from "./operations";
import { useT } from "./text";

export interface TransferOfferProps {
  ticketId: string;
  offer: { email: string; expiresAt: string };
}

/** An offer that has not been accepted yet, which its holder can withdraw. */
export function TransferOffer({ ticketId, offer }: TransferOfferProps): ReactNode {
  const t = useT();
  const format = useFormat();
  const explain = useRefusal();
  const announce = useAnnounce();
  const [{ fetching }, run] = useMutation(CancelTicketTransfer);
  const [problem, setProblem] = useState<Problem | null>(null);

  async function withdraw(): Promise<void> {
    if (fetching) return;
    const result = await run({ input: { ticketId } });
    const outcome = outcomeOf(result, result.data?.cancelTicketTransfer);
    setProblem(outcome.problem ?? null);
    if (outcome.success) announce(t("transfer.withdrawn"));
  }
  return (
    <Notice
      title={<bdi>{t("transfer.pending", { email: offer.email })}</bdi>}
      actions={
        <Button variant="secondary" isPending={fetching} onPress={withdraw}>
          {t("transfer.withdraw")}
        </Button>
      }
    >
      <p>{t("transfer.pendingText", { date: format.dateTime(offer.expiresAt, null, "dateTime") })}</p>
      {problem && <p role="alert">{explain(problem)}</p>}
    </Notice>
  );
}
