import { useState, type FormEvent, type ReactNode } from "react";
import { useMutation } from "urql";

import { outcomeOf, type Problem } from "../../api/outcome";
import { useAnnounce } from "../../components/announce";
import { Button } from "../../components/button";
import { Dialog } from "../../components/dialog";
import { Notice } from "../../components/notice";
import { TextField } from "../../components/textField";
import { useRefusal } from "../../messages/refusals";
import { TransferTicket } from "./operations";
import { useT } from "./text";

/** Offers a ticket to the person with an email address. */
export function TransferDialog({ ticketId, onClose }: { ticketId: string; onClose(): void }): ReactNode {
  const t = useT();
  const explain = useRefusal();
  const [email, setEmail] = useState("");
  const { send, isPending, fieldError, problem, forget } = useTransfer(ticketId, onClose);
  function submit(event: FormEvent): void {
    event.preventDefault();
    void send(email.trim());
  }
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={t("transfer.title")}
      actions={
        <>
          <Button variant="secondary" onPress={onClose}>
            {t("transfer.cancelDialog")}
          </Button>
          <Button type="submit" form={`transfer-${ticketId}`} isPending={isPending}>
            {t("transfer.send")}
          </Button>
        </>
      }
    >
      <p>{t("transfer.text")}</p>
      <form id={`transfer-${ticketId}`} onSubmit={submit} noValidate>
        <TextField
          label={t("transfer.email")}
          type="email"
          autoComplete="off"
          inputMode="email"
          value={email}
          onChange={(value) => {
            setEmail(value);
            forget();
          }}
          errorMessage={fieldError && t(fieldError)}
        />
      </form>
      {problem && (
        <div role="alert">
          <Notice tone="danger" title={t("transfer.failed")}>
            {explain(problem)}
          </Notice>
        </div>
      )}
    </Dialog>
  );
}

type FieldError = "transfer.emailMissing" | "transfer.emailWrong";

function useTransfer(ticketId: string, onDone: () => void) {
  const t = useT();
  const announce = useAnnounce();
  const [{ fetching }, run] = useMutation(TransferTicket);
  const [fieldError, setFieldError] = useState<FieldError | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);

  async function send(email: string): Promise<void> {
    if (fetching) return;
    if (!/.@./.test(email)) {
      setFieldError(email ? "transfer.emailWrong" : "transfer.emailMissing");
      return;
    }
    const result = await run({ input: { ticketId, email } });
    const outcome = outcomeOf(result, result.data?.transferTicket);
    const isWrong = outcome.problem?.code === "INVALID_INPUT";
    setFieldError(isWrong ? "transfer.emailWrong" : null);
    setProblem(isWrong ? null : (outcome.problem ?? null));
    if (!outcome.success) return;
    announce(t("transfer.sent", { email }));
    onDone();
  }
  function forget(): void {
    setFieldError(null);
    setProblem(null);
  }
  return { send, isPending: fetching, fieldError, problem, forget };
}
