/** Giving up the place, after a question, because it cannot be undone. */

import { useState, type ReactNode } from "react";
import { useMutation } from "urql";

import { outcomeOf, type Problem } from "../../api/outcome";
import { useAnnounce } from "../../components/announce";
import { Button } from "../../components/button";
import { Dialog } from "../../components/dialog";
import { Notice } from "../../components/notice";
import { useRefusal } from "../../messages/refusals";
import { LEAVE_QUEUE } from "./operations";
import { useT } from "./messages";

export function Leave({ concertId, onLeft }: { concertId: string; onLeft: () => void }): ReactNode {
  const t = useT();
  const refusal = useRefusal();
  const announce = useAnnounce();
  const [isOpen, setOpen] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [{ fetching }, leaveQueue] = useMutation(LEAVE_QUEUE);

  async function leave(): Promise<void> {
    const result = await leaveQueue({ concertId });
    const outcome = outcomeOf(result, result.data?.leaveQueue);
    if (outcome.problem && outcome.problem.code !== "NOT_IN_QUEUE") {
      setProblem(outcome.problem);
      return;
    }
    setOpen(false);
    announce(t("ended.LEFT.title"));
    onLeft();
  }

  function open(): void {
    setProblem(null);
    setOpen(true);
  }

  return (
    <>
      <Button variant="quiet" onPress={open}>
        {t("leave.label")}
      </Button>
      <Dialog
        isOpen={isOpen}
        onClose={() => setOpen(false)}
        title={t("leave.title")}
        actions={
          <>
            <Button variant="secondary" autoFocus onPress={() => setOpen(false)}>
              {t("leave.stay")}
            </Button>
            <Button variant="danger" isPending={fetching} onPress={() => void leave()}>
              {t("leave.confirm")}
            </Button>
          </>
        }
      >
        <p>{t("leave.text")}</p>
        {problem && <Notice tone="danger">{refusal(problem)}</Notice>}
      </Dialog>
    </>
  );
}
