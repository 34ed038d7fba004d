import { useState, type ReactNode } from "react";
import { useMutation } from "urql";

import { outcomeOf, type Problem } from "../../api/outcome";
import { useAnnounce } from "../../components/announce";
import { Button } from "../../components/button";
import { Dialog } from "../../components/dialog";
import { Notice } from "../../components/notice";
import { useRefusal } from "../../messages/refusals";
import { CancelOrder as Cancel } from "./operations";
import { useT } from "./text";

/** Cancels an unpaid order, after a question. */
export function CancelOrder({ orderId, isDisabled }: { orderId: string; isDisabled: boolean }): ReactNode {
  const t = useT();
  const explain = useRefusal();
  const announce = useAnnounce();
  const [isOpen, setIsOpen] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [{ fetching }, run] = useMutation(Cancel);

  async function cancel(): Promise<void> {
    if (fetching) return;
    const result = await run({ input: { orderId } });
    const outcome = outcomeOf(result, result.data?.cancelOrder);
    setProblem(outcome.problem ?? null);
    if (!outcome.success) return;
    setIsOpen(false);
    announce(t("cancel.done"));
  }

  const close = (): void => setIsOpen(false);
  return (
    <>
      <Button variant="quiet" isDisabled={isDisabled} onPress={() => setIsOpen(true)}>
        {t("cancel.button")}
      </Button>
      <Dialog
        isOpen={isOpen}
        onClose={close}
        title={t("cancel.title")}
        actions={
          <>
            <Button variant="secondary" onPress={close}>
              {t("cancel.keep")}
            </Button>
            <Button variant="danger" isPending={fetching} onPress={cancel}>
              {t("cancel.confirm")}
            </Button>
          </>
        }
      >
        <p>{t("cancel.text")}</p>
        {problem && (
          <div role="alert">
            <Notice tone="danger">{explain(problem)}</Notice>
          </div>
        )}
      </Dialog>
    </>
  );
}
