"""The rules of tiers: their checks, who sees hidden tiers, and what is left of withdrawn ones."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from auth.viewer import Role, Viewer
from domain.concerts import Concert, ConcertChange, ConcertStatus, Tier, TierChange
from domain.ids import TierId, tier_id
from domain.inputs.problems import FieldProblem
from domain.stock import PriceRange, TierStock
from domain.tiers.rules import NO_RULES, Rule, TierRules, TierRulesPatch
from domain.tiers.validation import changed_tier_problems, draft_tier_problems, given_tier_problems
from domain.topics import StockSnapshot, StockTopic
from resolvers.permissions import visible_stock, visible_tiers
from schema import Operation, OperationResult, ids, start
from storage.hot.tier_rules import encode_rules
from tests.support.fake_queue import FakeQueue
from tests.support.hub_recorder import SnapshotRecorder
from tests.support.publisher_steps import EVERY_REFRESH, add_people, add_subscriber, make_publisher
from tests.support.sale import draft, viewer
from tests.support.snapshots import CONCERT, NOW, ROOM, STOCK, FakeStores
from tests.support.tier_steps import minutes

TERMS = CONCERT.terms
FIRST, SECOND = tier_id(CONCERT.id, 1), tier_id(CONCERT.id, 2)
HIDDEN = Tier(SECOND, "Guests", 0, capacity=5, top=5, rules=TierRules(is_hidden=True))
WITH_HIDDEN = replace(CONCERT, tiers=(*CONCERT.tiers, HIDDEN))
OPEN_STOCK = TierStock(FIRST, capacity=10, held=2, sold=3, price_minor=4_950)
HIDDEN_STOCK = TierStock(SECOND, capacity=5, held=0, sold=0, price_minor=1_000, is_hidden=True)
WHOLE = replace(STOCK, tiers=(OPEN_STOCK, HIDDEN_STOCK), organizer_id=CONCERT.organizer_id)
OLIVIA, OTTO, ADA = viewer("olivia", Role.ORGANIZER), viewer("otto", Role.ORGANIZER), viewer("ada", Role.ADMIN)
STOCK_DOCUMENT = """subscription ($id: ID!) {
  stockChanged(concertId: $id) { soldOut tiers { tierId available } priceRange { lowest { minor } } }
}"""


def paths(problems: Iterable[FieldProblem]) -> list[str]:
    return [problem.path for problem in problems]


def change_of(id_: TierId = FIRST, **rules: Rule) -> ConcertChange:
    return ConcertChange(tiers=(TierChange(id_, rules=TierRulesPatch(tuple(rules.items()))),))


def changed(before: Concert, change: ConcertChange) -> Concert:
    """Return the concert with the changes to its tiers and limits."""
    changes = {tier.id: tier for tier in change.tiers}
    kept = [tier for tier in before.tiers if tier.id not in change.removed_tiers]
    tiers = tuple(changes[tier.id].apply_to(tier) if tier.id in changes else tier for tier in kept)
    return replace(before, tiers=tiers, terms=change.apply_to(before.terms))


def conflicts(before: Concert, change: ConcertChange) -> list[str]:
    return paths(changed_tier_problems(before, changed(before, change), change))


@pytest.mark.parametrize(
    ("rules", "path"),
    [
        ({"sales_start_at": minutes(60), "sales_end_at": minutes(60)}, "salesEndAt"),
        ({"sales_start_at": TERMS.sales_end_at}, "salesStartAt"),
        ({"sales_end_at": TERMS.sales_start_at}, "salesEndAt"),
        ({"min_per_order": 3, "max_per_order": 2}, "minPerOrder"),
        ({"min_per_order": TERMS.limit_per_order + 1}, "minPerOrder"),
    ],
)
def test_rules_that_no_order_could_meet_are_refused(rules: dict[str, Any], path: str) -> None:
    assert set(conflicts(CONCERT, change_of(**rules))) == {f"tiers.0.{path}"}
    (tier,) = draft(5).tiers
    new = replace(draft(5), terms=TERMS, tiers=(replace(tier, rules=TierRules(**rules)),))
    assert set(paths(draft_tier_problems(new))) == {f"tiers.0.{path}"}


@pytest.mark.parametrize(
    ("rules", "path"),
    [
        ({"sales_start_at": NOW.replace(year=1999)}, "salesStartAt"),
        ({"sales_end_at": NOW.replace(year=2100)}, "salesEndAt"),
        ({"min_per_order": 0}, "minPerOrder"),
        ({"max_per_order": 1_001}, "maxPerOrder"),
    ],
)
def test_values_outside_their_bounds_are_refused(rules: dict[str, Any], path: str) -> None:
    assert paths(given_tier_problems(change_of(**rules))) == [f"tiers.0.{path}"]


def test_texts_of_tiers_have_bounds() -> None:
    change = ConcertChange(tiers=(TierChange(FIRST, description="x" * 1_001, zone="y" * 201),))
    assert paths(given_tier_problems(change)) == ["tiers.0.description", "tiers.0.zone"]


def test_lower_limit_must_allow_the_minimum_of_each_tier() -> None:
    concert = changed(CONCERT, change_of(min_per_order=4))
    change = ConcertChange(limit_per_order=3, limit_per_person=3)
    assert conflicts(concert, change) == ["limitPerOrder", "limitPerPerson"]
    assert conflicts(concert, replace(change_of(min_per_order=3), limit_per_order=3, limit_per_person=3)) == []


def test_early_end_of_a_sale_does_not_conflict_with_its_tiers() -> None:
    concert = changed(CONCERT, change_of(sales_start_at=minutes(60)))
    assert conflicts(concert, ConcertChange(sales_end_at=minutes(30))) == []


def test_only_tiers_of_a_draft_can_be_removed() -> None:
    removal = ConcertChange(removed_tiers=(SECOND,))
    rehearsal = replace(WITH_HIDDEN, status=ConcertStatus.DRAFT)
    assert conflicts(rehearsal, removal) == []
    assert conflicts(WITH_HIDDEN, removal) == ["removedTiers"]
    assert conflicts(rehearsal, ConcertChange(removed_tiers=(tier_id(CONCERT.id, 3),))) == ["removedTiers.0"]
    assert conflicts(rehearsal, ConcertChange(removed_tiers=(FIRST, SECOND))) == ["removedTiers"]


def test_tier_cannot_be_removed_twice_or_changed_as_well() -> None:
    change = replace(change_of(is_hidden=True), removed_tiers=(FIRST, SECOND, SECOND))
    assert paths(given_tier_problems(change)) == ["removedTiers.0", "removedTiers.2"]


def test_ordinal_of_a_removed_tier_is_not_used_again() -> None:
    assert WITH_HIDDEN.next_ordinal == 3
    assert replace(WITH_HIDDEN, tiers=WITH_HIDDEN.tiers[:1], highest_ordinal=2).next_ordinal == 3


@pytest.mark.parametrize(
    ("by", "sees_hidden"), [(None, False), (viewer("ann"), False), (OTTO, False), (OLIVIA, True), (ADA, True)]
)
def test_hidden_tiers_are_shown_only_to_organizers(by: Viewer | None, sees_hidden: bool) -> None:
    context = FakeStores(WITH_HIDDEN).context(by)
    count = 2 if sees_hidden else 1
    assert len(visible_tiers(context, WITH_HIDDEN)) == len(visible_stock(context, WHOLE).tiers) == count


def test_hidden_tiers_count_in_neither_stock_nor_prices() -> None:
    sold_out = replace(WHOLE, tiers=(replace(OPEN_STOCK, held=0, sold=10), HIDDEN_STOCK))
    assert (sold_out.is_sold_out, sold_out.public.is_sold_out, sold_out.public.price_range) == (False, True, None)
    assert WHOLE.public.price_range == PriceRange(4_950, 4_950)
    assert STOCK.public is STOCK


def test_withdrawn_tier_offers_nothing_and_has_no_price() -> None:
    stock = replace(OPEN_STOCK, is_withdrawn=True).unless_withdrawn()
    assert (stock.capacity, stock.available, stock.held, stock.sold) == (10, 0, 2, 3)
    withdrawn = replace(STOCK, tiers=(stock,))
    assert (withdrawn.is_sold_out, withdrawn.price_range) == (True, None)


def test_only_rules_that_are_set_are_stored() -> None:
    assert encode_rules(NO_RULES) == ""
    assert encode_rules(TierRules(max_per_order=2, is_hidden=True)) == '{"max": 2, "is_hidden": true}'


async def pushed_to(by: Viewer | None) -> dict[str, Any]:
    """Return the payload that the viewer gets for the whole stock."""
    source = await start(Operation(STOCK_DOCUMENT, {"id": ids.of_concert(CONCERT.id)}, None), FakeStores().context(by))
    assert not isinstance(source, OperationResult)
    rendered = await source.render(StockSnapshot(WHOLE, ROOM))
    shown: dict[str, Any] = orjson.loads(rendered.payload)["data"]["stockChanged"]
    return shown


async def test_pushed_stock_shows_hidden_tiers_only_to_organizers() -> None:
    for by in (None, viewer("ann"), OTTO):
        shown = await pushed_to(by)
        assert [tier["tierId"] for tier in shown["tiers"]] == [ids.of_tier(FIRST)]
        assert shown["priceRange"]["lowest"]["minor"] == 4_950
    for by in (OLIVIA, ADA):
        shown = await pushed_to(by)
        assert [tier["tierId"] for tier in shown["tiers"]] == [ids.of_tier(FIRST), ids.of_tier(SECOND)]
        assert shown["priceRange"]["lowest"]["minor"] == 1_000


async def test_queue_payloads_ignore_hidden_tiers_and_their_changes() -> None:
    queue = FakeQueue(people=1_000)
    queue.stock = WHOLE
    publisher = make_publisher(queue, EVERY_REFRESH)
    (person,) = add_people(publisher, 500)
    watcher = SnapshotRecorder(StockTopic(CONCERT.id))
    add_subscriber(publisher, watcher)
    await publisher.run_once()
    assert person.queue().stock.public.tiers == (OPEN_STOCK,)
    queue.version += 1
    queue.stock = replace(WHOLE, version=queue.version, tiers=(OPEN_STOCK, replace(HIDDEN_STOCK, sold=1)))
    await publisher.run_once()
    assert (len(person.snapshots), len(watcher.snapshots)) == (1, 2)
