import { useState, type FormEvent, type ReactNode } from "react";
import { useMutation } from "urql";

import type { AcceptTicketTransferMutation } from "../../api/generated/graphql";
import { outcomeOf, type Problem } from "../../api/outcome";
import { useAnnounce } from "../../components/announce";
import { Button, LinkButton } from "../../components/button";
import { Notice } from "../../components/notice";
import { TextField } from "../../components/textField";
import { useRefusal, type Refusal } from "../../messages/refusals";
import type { Session } from "../../session";
import { useSession } from "../../shop/session";
import { TicketCard } from "../tickets/ticketCard";
import { Until, type Offer } from "./offeredTicket";
import { AcceptTicketTransfer } from "./operations";
import { useT } from "./text";
import { forgetToken } from "./transferLink";

type Result = AcceptTicketTransferMutation["acceptTicketTransfer"];
type Ticket = Extract<Result, { __typename: "AcceptTicketTransferSuccess" }>["ticket"];
type NameProblem = Extract<Result, { __typename: "InvalidInputError" }>["problems"][number];

const MAX_NAME = 200;
/** With another account, or after a step elsewhere, the same link may still be accepted. */
const MAY_STILL_WORK: ReadonlySet<unknown> = new Set(["WRONG_PERSON", "EMAIL_NOT_VERIFIED", "TICKET_SUSPENDED"]);

export interface AcceptFormProps {
  token: string;
  session: Session;
  /** What the page shows of the ticket above the form. */
  offer: Offer | null | undefined;
}

/** Accepts the ticket in the name that the person enters. */
export function AcceptForm({ token, session, offer }: AcceptFormProps): ReactNode {
  const t = useT();
  const [name, setName] = useState(session.fullName ?? session.name);
  const { accept, isPending, ticket, nameError, problem, forget } = useAccept(token);
  if (ticket) return <Accepted ticket={ticket} isNamed={Boolean(offer?.concert)} />;
  const isRefused = problem?.code === "TRANSFER_REFUSED";
  if (problem && isRefused && !MAY_STILL_WORK.has(problem.reason)) return <Refused problem={problem} />;

  function submit(event: FormEvent): void {
    event.preventDefault();
    void accept(name.trim());
  }
  return (
    <>
      <p>
        <bdi>
          {session.email
            ? t("accept.signedInAs", { name: session.fullName ?? session.name, email: session.email })
            : t("accept.signedInAsName", { name: session.fullName ?? session.name })}
        </bdi>{" "}
        {t("accept.addressMatters")} <Until offer={offer} />
      </p>
      <form className="accept-form" onSubmit={submit} noValidate>
        <TextField
          label={t("accept.name")}
          description={t("accept.nameHint")}
          autoComplete="name"
          value={name}
          onChange={(value) => {
            setName(value);
            forget();
          }}
          errorMessage={nameError}
        />
        {problem && isRefused && <Refused problem={problem} />}
        {problem && !isRefused && <Failed problem={problem} />}
        <p>
          <Button type="submit" isPending={isPending}>
            {t("accept.button")}
          </Button>
        </p>
      </form>
    </>
  );
}

function useAccept(token: string) {
  const t = useT();
  const announce = useAnnounce();
  const [{ fetching }, run] = useMutation(AcceptTicketTransfer);
  const [ticket, setTicket] = useState<Ticket | null>(null);
  const [nameError, setNameError] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);

  async function accept(holderName: string): Promise<void> {
    if (fetching) return;
    if (!holderName) {
      setNameError(t("accept.nameMissing"));
      return;
    }
    const result = await run({ input: { token, holderName } });
    const outcome = outcomeOf(result, result.data?.acceptTicketTransfer);
    if (outcome.success) {
      forgetToken();
      announce(t("accept.done"), "assertive");
      setTicket(outcome.success.ticket);
      return;
    }
    const wrong = outcome.refusal && "problems" in outcome.refusal ? outcome.refusal.problems[0] : undefined;
    setNameError(wrong ? explainName(wrong) : null);
    setProblem(wrong ? null : outcome.problem);
    if (outcome.problem.code === "TRANSFER_REFUSED" && !MAY_STILL_WORK.has(outcome.problem.reason)) forgetToken();
  }
  function explainName({ rule, maximum, given }: NameProblem): string {
    if (rule === "TOO_LONG") return t("accept.nameTooLong", { maximum: maximum ?? MAX_NAME, given: given ?? 0 });
    return t(rule === "EMPTY" || rule === "INVISIBLE" ? "accept.nameMissing" : "accept.nameWrong");
  }
  function forget(): void {
    setNameError(null);
    setProblem(null);
  }
  return { accept, isPending: fetching, ticket, nameError, problem, forget };
}

function Accepted({ ticket, isNamed }: { ticket: Ticket; isNamed: boolean }): ReactNode {
  const t = useT();
  const { concert } = ticket;
  return (
    <>
      <Notice tone="success" title={t("accept.done")} actions={<LinkButton href="/tickets">{t("accept.toTickets")}</LinkButton>}>
        {t("accept.doneText")}
      </Notice>
      {concert && !isNamed && (
        <h2>
          <bdi>{concert.name}</bdi>
        </h2>
      )}
      <TicketCard ticket={ticket} timeZone={concert?.venue.timeZone ?? null} />
    </>
  );
}

/** The link does not work, or not for this account. */
export function Refused({ problem }: { problem: Refusal }): ReactNode {
  const t = useT();
  const explain = useRefusal();
  const { signOut } = useSession();
  const isOtherAccount = problem.reason === "WRONG_PERSON";
  return (
    <div role="alert">
      <Notice
        tone="danger"
        title={t("accept.refused")}
        actions={
          isOtherAccount ? (
            <Button variant="secondary" onPress={signOut}>
              {t("accept.switchAccount")}
            </Button>
          ) : (
            <LinkButton href="/tickets" variant="secondary">
              {t("accept.toTickets")}
            </LinkButton>
          )
        }
      >
        {explain(problem)}
      </Notice>
    </div>
  );
}

function Failed({ problem }: { problem: Problem }): ReactNode {
  const t = useT();
  const explain = useRefusal();
  return (
    <div role="alert">
      <Notice tone="danger" title={t("accept.failed")}>
        {explain(problem)}
      </Notice>
    </div>
  );
}
