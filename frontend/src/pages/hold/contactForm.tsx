/** Whose tickets they are, and where they go. What was typed survives every failure. */

import { useRef, useState, type FormEvent, type ReactNode } from "react";

import type { Problem } from "../../api/outcome";
import { useAnnounce } from "../../components/announce";
import { Button } from "../../components/button";
import { TextField } from "../../components/textField";
import { useFormat } from "../../messages/format";
import { useRefusal } from "../../messages/refusals";
import { useSession } from "../../shop/session";
import { clean, cleanEmail, cleanName, problemsOf, type Customer, type CustomerField, type CustomerRule } from "./customer";
import { useT } from "./messages";
import { RefusalNotice } from "./refusalNotice";
import type { Concert, Hold } from "./stage";
import { useKept } from "./useKept";
import { usePurchase } from "./usePurchase";

/** What is wrong, as it is found; the words follow the language of the page. */
type Errors = Partial<Record<CustomerField, CustomerRule | InputProblem>>;

const FIELDS: Readonly<Record<string, CustomerField>> = { customerName: "name", customerEmail: "email" };

/** Refusals that say nothing about the hold: the form stays as it is. */
const KEEPS_PAGE: ReadonlySet<string> = new Set(["UNREACHABLE", "UNAUTHENTICATED", "SESSION_LOST", "RATE_LIMITED"]);

export interface ContactFormProps {
  concert: Concert;
  hold: Hold;
  /** The server knows something about the hold that the page does not. */
  onRefused: () => void;
}

export function ContactForm({ concert, hold, onRefused }: ContactFormProps): ReactNode {
  const t = useT();
  const format = useFormat();
  const refusal = useRefusal();
  const announce = useAnnounce();
  const { session } = useSession();
  const initial: Customer = { name: session?.fullName ?? "", email: session?.email ?? "" };
  const [customer, setCustomer] = useKept<Customer>("onsale.customer", initial);
  const [errors, setErrors] = useState<Errors>({});
  const [problem, setProblem] = useState<Problem | null>(null);
  const { isPending, buy } = usePurchase();
  const form = useRef<HTMLFormElement>(null);

  function change(field: CustomerField, value: string): void {
    setCustomer((before) => ({ ...before, [field]: value }));
    setErrors((before) => ({ ...before, [field]: undefined }));
  }

  function explain(field: CustomerField, found: Errors): string {
    const error = found[field];
    if (!error) return "";
    if (typeof error !== "string") return refusal({ code: "INVALID_INPUT", ...error });
    return t(`contact.${field}.${error}` as "contact.name.EMPTY");
  }

  function show(found: Errors): void {
    setErrors(found);
    const first = (["name", "email"] as const).find((field) => found[field]);
    if (!first) return;
    announce(explain(first, found), "assertive");
    form.current?.querySelector<HTMLInputElement>(`[name="${first}"]`)?.focus();
  }

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault();
    const cleaned = clean(customer);
    setCustomer(() => cleaned);
    setProblem(null);
    const found = problemsOf(cleaned);
    if (Object.keys(found).length > 0) {
      show(found);
      return;
    }
    const outcome = await buy(hold.id, cleaned);
    if (!outcome?.problem) return;
    const { refusal: refused } = outcome;
    const ofFields = refused?.__typename === "InvalidInputError" ? errorsFrom(refused.problems) : {};
    if (Object.keys(ofFields).length > 0) {
      show(ofFields);
      return;
    }
    setProblem(outcome.problem);
    announce(refusal(outcome.problem), "assertive");
    if (!KEEPS_PAGE.has(outcome.problem.code)) onRefused();
  }

  return (
    <form ref={form} className="hold-form" noValidate onSubmit={(event) => void submit(event)} aria-labelledby="hold-contact">
      <h2 id="hold-contact">{t("contact.title")}</h2>
      <TextField
        label={t("contact.name")}
        description={t("contact.nameText")}
        name="name"
        autoComplete="name"
        isRequired
        value={customer.name}
        onChange={(value) => change("name", value)}
        onBlur={() => change("name", cleanName(customer.name))}
        errorMessage={explain("name", errors)}
      />
      <TextField
        label={t("contact.email")}
        description={t("contact.emailText")}
        name="email"
        type="email"
        inputMode="email"
        autoComplete="email"
        isRequired
        value={customer.email}
        onChange={(value) => change("email", value)}
        onBlur={() => change("email", cleanEmail(customer.email))}
        errorMessage={explain("email", errors)}
      />
      {problem && <RefusalNotice problem={problem} concert={concert} />}
      <Button type="submit" className="hold-buy" isPending={isPending}>
        {hold.total.minor === 0
          ? t("contact.order")
          : t("contact.buy", { total: format.money(hold.total.amount, hold.total.currency) })}
      </Button>
      <p className="hold-summary-note">{hold.total.minor === 0 ? t("contact.freeText") : t("contact.buyText")}</p>
    </form>
  );
}

interface InputProblem {
  path: string;
  rule: string;
  message: string;
  minimum?: number | null;
  maximum?: number | null;
  given?: number | null;
  position?: number | null;
}

function errorsFrom(problems: readonly InputProblem[]): Errors {
  const errors: Errors = {};
  for (const problem of problems) {
    const field = FIELDS[problem.path];
    if (field) errors[field] ??= problem;
  }
  return errors;
}
