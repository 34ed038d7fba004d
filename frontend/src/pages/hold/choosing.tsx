/** The choice of tickets: tiers with live prices and stock, and the total always in view. */

import { useEffect, useRef, useState, type ReactNode } from "react";

import type { Problem } from "../../api/outcome";
import { useNow } from "../../api/serverClock";
import { useAnnounce } from "../../components/announce";
import { LinkButton } from "../../components/button";
import { Clock } from "../../components/clock";
import { PageTitle } from "../../components/pageTitle";
import { useRefusal } from "../../messages/refusals";
import { useSession } from "../../shop/session";
import { countOf, linesOf, stateOf, type Price, type Quantities, type Rules } from "./choice";
import { EndOfHold } from "./endOfHold";
import { useT } from "./messages";
import { RefusalNotice } from "./refusalNotice";
import { passOf, type Concert, type Hold } from "./stage";
import { Summary } from "./summary";
import { TierRow } from "./tierRow";
import { useHolding } from "./useHolding";
import { useKept } from "./useKept";

interface ChoosingProps {
  concert: Concert;
  /** The person has a hold with the choice, or has kept the one before. */
  onDone: () => void;
  onRefused: () => void;
}

type Prices = Readonly<Record<string, Price>>;

export function Choosing({ concert, onDone, onRefused }: ChoosingProps): ReactNode {
  const t = useT();
  const refusal = useRefusal();
  const announce = useAnnounce();
  const { session, signIn } = useSession();
  const holding = useHolding(concert);
  const own = concert.myHold?.state === "HELD" ? concert.myHold : null;
  const [quantities, setQuantities] = useChoice(concert, own);
  /** The prices that the person has seen: a higher one is pointed out before anything is held. */
  const [seen, setSeen] = useKept<Prices>(`onsale.prices.${concert.id}`, {});
  const [problem, setProblem] = useState<Problem | null>(null);
  const isRunning = useRef(false);
  const now = useNow(1_000);
  const rules: Rules = { limitPerOrder: concert.limitPerOrder, mine: own ? quantitiesOf(own) : {} };
  const pass = passOf(concert);
  /** Nothing is left to choose, nothing is chosen, and no refusal explains it. */
  const isOver = !own && !problem && countOf(quantities) === 0 && areAllGone(concert.tiers, now);
  const changed = concert.tiers.filter((tier) => hasNewPrice(tier, quantities, seen));
  useChangedPrices(changed.map(({ name }) => name));

  function choose(tierId: string, quantity: number): void {
    setProblem(null);
    setQuantities((before) => ({ ...before, [tierId]: quantity }));
    const tier = concert.tiers.find(({ id }) => id === tierId);
    if (tier) setSeen((before) => ({ ...before, [tierId]: tier.price as Price }));
  }

  async function hold(): Promise<void> {
    if (!session) {
      signIn();
      return;
    }
    if (isRunning.current) return;
    isRunning.current = true;
    setProblem(null);
    setSeen(() => Object.fromEntries(concert.tiers.map(({ id, price }) => [id, price as Price])));
    const outcome = await holding.hold(linesOf(quantities, concert.tiers));
    isRunning.current = false;
    if (outcome.success) {
      announce(t("held.announce"));
      onDone();
      return;
    }
    setProblem(outcome.problem);
    announce(refusal(outcome.problem), "assertive");
    onRefused();
  }

  return (
    <>
      <PageTitle documentTitle={t("choose.documentTitle", { name: concert.name })}>
        {own ? t("change.title") : isOver ? t("soldOut.title") : t("choose.title")}
      </PageTitle>
      {!own && <EndOfHold hold={concert.myHold} />}
      {isOver && <SoldOut />}
      <div className="hold-columns">
        <div className="hold-main">
          {!isOver && (
            <p className="hold-rules">
              {t("choose.limits", { order: concert.limitPerOrder, person: concert.limitPerPerson })}
            </p>
          )}
          {pass && !own && (
            <p className="hold-pass">
              <span>{t("choose.clock")}</span> <Clock until={pass.expiresAt} label={t("choose.clock")} />
            </p>
          )}
          <ul className="hold-tiers" role="list">
            {concert.tiers.map((tier) => (
              <TierRow
                key={tier.id}
                tier={tier}
                state={stateOf(tier, rules.mine, now)}
                quantities={quantities}
                rules={rules}
                oldPrice={changed.includes(tier) ? (seen[tier.id] ?? null) : null}
                timeZone={concert.venue.timeZone ?? null}
                isFaulty={problem !== null && problem.tierId === tier.id}
                onChange={(quantity) => choose(tier.id, quantity)}
              />
            ))}
          </ul>
        </div>
        {!isOver && (
          <Summary
            concert={concert}
            quantities={quantities}
            isPending={holding.isPending}
            isChange={own !== null}
            isSignedIn={session !== null}
            onHold={() => void hold()}
            onCancel={onDone}
          >
            {problem && <RefusalNotice problem={problem} concert={concert} />}
          </Summary>
        )}
      </div>
    </>
  );
}

/** The choice is kept in this tab. Changing a hold begins with what is held. */
function useChoice(
  concert: Concert,
  own: Hold | null,
): [Quantities, (change: (before: Quantities) => Quantities) => void] {
  const [kept, setKept] = useKept<Quantities>(`onsale.choice.${concert.id}`, {});
  const ownId = own?.id ?? null;
  const known = useRef<string | null>(null);
  useEffect(() => {
    if (own && known.current !== own.id) setKept(() => quantitiesOf(own));
    known.current = ownId;
  }, [own, ownId, setKept]);
  const ids = new Set(concert.tiers.map(({ id }) => id));
  // A tier that is gone, and a number that is none, are not chosen.
  const quantities = Object.fromEntries(
    Object.entries(kept).filter(([id, quantity]) => ids.has(id) && Number.isInteger(quantity) && quantity > 0),
  );
  return [quantities, setKept];
}

export function quantitiesOf({ lines }: Pick<Hold, "lines">): Quantities {
  return Object.fromEntries(lines.map(({ tierId, quantity }) => [tierId, quantity]));
}

/** All tickets are sold or held at the moment; other tiers may have ended, but none is yet to open. */
function areAllGone(tiers: Concert["tiers"], now: number): boolean {
  const states = tiers.map((tier) => stateOf(tier, {}, now));
  return states.includes("soldOut") && !states.includes("open") && !states.includes("notOpen");
}

function SoldOut(): ReactNode {
  const t = useT();
  return (
    <div className="hold-end">
      <p className="lead">{t("soldOut.text")}</p>
      <LinkButton href="/" variant="secondary">
        {t("notFound.action")}
      </LinkButton>
    </div>
  );
}

function hasNewPrice(tier: Concert["tiers"][number], quantities: Quantities, seen: Prices): boolean {
  const before = seen[tier.id];
  return (quantities[tier.id] ?? 0) > 0 && before !== undefined && before.minor !== tier.price.minor;
}

function useChangedPrices(names: string[]): void {
  const t = useT();
  const announce = useAnnounce();
  const words = names.map((name) => t("price.announce", { tier: name })).join(" ");
  useEffect(() => {
    if (words) announce(words, "assertive");
  }, [words, announce]);
}


