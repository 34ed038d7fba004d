"""Facts from a provider, merged in any order, any number of times, and in any groups."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.money import CurrencyCode
from domain.payments.facts import MAX_DECLINES, RANKS, FactKind, FactState, ProviderFact, merge_facts
from tests.support.payment_orders import NOW, payment_fact


@st.composite
def facts(draw: st.DrawFn) -> ProviderFact:
    """Return a fact about one of a few objects, which may contradict other facts about it."""
    kind = draw(st.sampled_from(FactKind))
    return ProviderFact(
        kind=kind,
        id=draw(st.sampled_from("abc")),
        intent_id=draw(st.sampled_from(["pi_1", "pi_2"])),
        state=draw(st.sampled_from(RANKS[kind])),
        amount_minor=draw(st.sampled_from([100, 200])),
        currency=draw(st.sampled_from([CurrencyCode.EUR, CurrencyCode.JPY, None])),
        at=NOW + timedelta(seconds=draw(st.integers(0, 2))),
        row=draw(st.sampled_from([None, 1, 2])),
        code=draw(st.sampled_from(["", "card_declined"])),
    )


@given(st.lists(facts(), max_size=12), st.data())
def test_facts_merge_the_same_way_in_any_order_and_if_repeated(found: list[ProviderFact], data: st.DataObject) -> None:
    repeated = data.draw(st.lists(st.sampled_from(found))) if found else []
    arrived = data.draw(st.permutations([*found, *repeated]))
    assert merge_facts((), arrived) == merge_facts((), found)


@given(st.lists(facts(), max_size=12), st.data())
def test_facts_merge_the_same_way_one_by_one_and_in_groups(found: list[ProviderFact], data: st.DataObject) -> None:
    known: tuple[ProviderFact, ...] = ()
    rest = data.draw(st.permutations(found))
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        known, rest = merge_facts(known, rest[:size]), rest[size:]
    assert known == merge_facts((), found)


@given(st.lists(facts(), max_size=12))
def test_each_object_keeps_its_highest_rank(found: list[ProviderFact]) -> None:
    merged = merge_facts((), found)
    ranks = {(fact.kind, fact.id): fact.rank for fact in merged}
    assert len(ranks) == len(merged)
    assert all(fact.rank <= ranks[fact.kind, fact.id] for fact in found)
    assert merge_facts(merged, merged) == merged


def decline(number: int) -> ProviderFact:
    at = NOW + timedelta(seconds=number)
    return replace(payment_fact(FactState.FAILED, at=at), kind=FactKind.DECLINE, id=f"ch_{number:03}")


@given(st.permutations(range(MAX_DECLINES + 5)), st.integers(1, 10))
def test_only_the_newest_declines_are_kept(numbers: list[int], size: int) -> None:
    known: tuple[ProviderFact, ...] = (payment_fact(FactState.OPEN),)
    for first in range(0, len(numbers), size):
        known = merge_facts(known, [decline(number) for number in numbers[first : first + size]])
    kept = [fact for fact in known if fact.kind is FactKind.DECLINE]
    assert kept == [decline(number) for number in range(5, MAX_DECLINES + 5)]
    assert payment_fact(FactState.OPEN) in known


def test_a_message_without_our_number_does_not_remove_it() -> None:
    ours = replace(payment_fact(FactState.PENDING), kind=FactKind.REFUND, id="re_1", row=3)
    later = replace(ours, state=FactState.SUCCEEDED, row=None)
    for arrived in ((ours, later), (later, ours)):
        assert merge_facts((), arrived) == (replace(later, row=3),)
