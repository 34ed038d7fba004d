"""The real scripts and a small model agree on who may hold what while the rules of tiers change."""

from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, invariant, multiple, rule

from domain.errors import HoldEnded, InvalidInput, LimitExceeded, NotFound, PurchaseInProgress, SoldOut
from domain.holds import Hold
from domain.orders import Order
from domain.tiers.errors import TierProblem, TierRefused
from domain.tiers.rules import NO_RULES, TierRules
from resolvers import holds
from tests.support.concurrency import gather_results
from tests.support.model_runs import MODEL_TIMEOUT, StoreMachine, run_machine
from tests.support.sale import buy, check_invariants, context, on_sale, opened, stock
from tests.support.tier_steps import hold_as, minutes, seller, set_rules

R = TypeVar("R")
CAPACITIES = (7, 5)
LIMIT = 6
BUYERS = ("ann", "ben")
ORGANIZER = "olivia"
Quantities = tuple[int, int]
WINDOWS = {
    "open": (None, None),
    "future": (minutes(30), None),
    "past": (None, minutes(-30)),
    "inside": (minutes(-30), minutes(60)),
}


@dataclass
class TierModel:
    capacity: int
    window: str = "open"
    rules: TierRules = NO_RULES

    def find_refusal(self, quantity: int, free: int, *, sells_hidden: bool) -> object:
        """Return the problem or the type of the refusal of one line, or None."""
        least, most = self.rules.min_per_order, self.rules.max_per_order
        if self.rules.is_hidden and not sells_hidden:
            return InvalidInput
        if self.rules.is_withdrawn:
            return TierProblem.WITHDRAWN
        if self.window in ("future", "past"):
            return TierProblem.NOT_OPEN if self.window == "future" else TierProblem.SALE_ENDED
        if quantity < least:
            return TierProblem.BELOW_MINIMUM
        if most is not None and quantity > most:
            return TierProblem.ABOVE_MAXIMUM
        return SoldOut if quantity > free else None


@dataclass
class Model:
    tiers: list[TierModel] = field(default_factory=lambda: [TierModel(capacity) for capacity in CAPACITIES])
    held: dict[str, tuple[str, Quantities]] = field(default_factory=dict)
    sold: dict[str, tuple[str, Quantities]] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)

    def count(self, tier: int) -> tuple[int, int]:
        """Return how many units are held and sold."""
        held, sold = (sum(q[tier] for _, q in part.values()) for part in (self.held, self.sold))
        return held, sold

    def free(self, tier: int) -> int:
        return self.tiers[tier].capacity - sum(self.count(tier))

    def expected(self, who: str, quantities: Quantities) -> object:
        has = sum(sum(q) for part in (self.held, self.sold) for owner, q in part.values() if owner == who)
        if has + sum(quantities) > LIMIT:
            return LimitExceeded
        for index, tier in enumerate(self.tiers):
            if quantities[index]:
                found = tier.find_refusal(quantities[index], self.free(index), sells_hidden=who == ORGANIZER)
                if found is not None:
                    return found
        return None

    def stock(self) -> list[tuple[int, int, int]]:
        return [
            (0 if tier.rules.is_withdrawn else self.free(index), *self.count(index))
            for index, tier in enumerate(self.tiers)
        ]


class TierRulesMachine(StoreMachine):
    """Each run uses a new concert; the test sets `runner` and `stores`."""

    made = Bundle("made")

    def __init__(self) -> None:
        super().__init__()
        self.concert = self.do(on_sale(self.stores, *CAPACITIES, limit_per_person=LIMIT, limit_per_order=LIMIT))
        self.model = Model()
        self.keys = 0

    def do(self, work: Coroutine[Any, Any, R]) -> R:
        return self.runner.run(work)

    @rule(tier=st.sampled_from((0, 1)), window=st.sampled_from(sorted(WINDOWS)))
    def change_window(self, tier: int, window: str) -> None:
        start, end = WINDOWS[window]
        self.do(set_rules(self.stores, self.concert, tier, sales_start_at=start, sales_end_at=end))
        self.model.tiers[tier].window = window

    @rule(tier=st.sampled_from((0, 1)), least=st.integers(1, 3), more=st.none() | st.integers(0, 2))
    def change_numbers(self, tier: int, least: int, more: int | None) -> None:
        most = None if more is None else least + more
        self.change(tier, min_per_order=least, max_per_order=most)

    @rule(tier=st.sampled_from((0, 1)), is_hidden=st.booleans(), is_withdrawn=st.booleans())
    def change_visibility(self, tier: int, is_hidden: bool, is_withdrawn: bool) -> None:
        self.change(tier, is_hidden=is_hidden, is_withdrawn=is_withdrawn)

    def change(self, tier: int, **rules: Any) -> None:
        changed = self.do(set_rules(self.stores, self.concert, tier, **rules))
        self.model.tiers[tier].rules = changed.tiers[tier].rules

    @rule(
        target=made,
        who=st.sampled_from((*BUYERS, ORGANIZER)),
        one=st.integers(0, 4),
        two=st.integers(0, 4),
        twice=st.booleans(),
    )
    def hold(self, who: str, one: int, two: int, twice: bool) -> Any:
        if one + two == 0:
            return multiple()
        self.keys += 1
        expected = self.model.expected(who, (one, two))
        asking = seller(self.stores) if who == ORGANIZER else context(self.stores, who)
        requests = [hold_as(asking, self.concert, one, two, with_key=str(self.keys)) for _ in range(1 + twice)]
        answers = self.do(gather_results(*requests))
        if expected is not None:
            assert [_kind_of(answer) for answer in answers] == [expected] * len(answers)
            return multiple()
        assert isinstance(answers[0], Hold)
        assert answers == [answers[0]] * len(answers)
        self.model.held[answers[0].id] = (who, (one, two))
        self.model.known.add(answers[0].id)
        return answers[0]

    @rule(held=made)
    def buy(self, held: Hold) -> None:
        (answer,) = self.do(gather_results(buy(self.stores, held, with_key=held.id)))
        if held.id in self.model.held:
            self.model.sold[held.id] = self.model.held.pop(held.id)
        if held.id in self.model.sold:
            assert isinstance(answer, Order)
        else:
            assert isinstance(answer, NotFound if held.id in self.model.lost else HoldEnded)

    @rule(held=made)
    def release(self, held: Hold) -> None:
        asking = context(self.stores, held.person_id)
        (answer,) = self.do(gather_results(holds.release_hold(asking, self.concert.id, held.id)))
        if held.id in self.model.sold:
            assert isinstance(answer, PurchaseInProgress)
        else:
            assert isinstance(answer, NotFound if held.id in self.model.lost else Hold)
        self.model.held.pop(held.id, None)

    @rule()
    def wipe_the_hot_store(self) -> None:
        """The rules and orders are restored from MongoDB; all holds, even ended ones, are lost."""
        self.do(self.stores.script_client.run_command("FLUSHALL"))
        assert self.do(self.stores.recovery.recover(self.concert.id))
        self.model.lost |= self.model.known - set(self.model.sold)
        self.model.held.clear()

    @invariant()
    def stock_matches_the_model(self) -> None:
        assert self.do(stock(self.stores, self.concert)) == self.model.stock()
        self.do(check_invariants(self.stores, self.concert))


def _kind_of(answer: object) -> object:
    return answer.problem if isinstance(answer, TierRefused) else type(answer)


@MODEL_TIMEOUT
def test_holds_match_the_model_while_rules_change(valkey_url: str, mongo_url: str, mongo_database: str) -> None:
    opening = opened(valkey_url, mongo_url, mongo_database)
    run_machine(TierRulesMachine, opening, examples=15, steps=25)
