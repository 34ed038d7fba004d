"""Facts that a payment provider has reported about an order.

A provider's messages may arrive late, twice and in any order. A fact therefore belongs to one
object at the provider and has a rank: merging facts is a set union that keeps the highest rank of
each object, so the result does not depend on the order of arrival.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from domain.money import CurrencyCode


class FactKind(StrEnum):
    PAYMENT = "PAYMENT"
    """A payment intent, identified by its own id."""
    DECLINE = "DECLINE"
    """A charge that the bank declined. The intent remains payable."""
    REFUND = "REFUND"
    DISPUTE = "DISPUTE"


class FactState(StrEnum):
    OPEN = "OPEN"
    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    CANCELED = "CANCELED"
    FAILED = "FAILED"
    WON = "WON"
    LOST = "LOST"


RANKS: dict[FactKind, tuple[FactState, ...]] = {
    FactKind.PAYMENT: (FactState.OPEN, FactState.PENDING, FactState.CANCELED, FactState.SUCCEEDED),
    FactKind.DECLINE: (FactState.FAILED,),
    # A refund that succeeded can still fail, when the bank returns the money.
    FactKind.REFUND: (FactState.PENDING, FactState.SUCCEEDED, FactState.FAILED),
    FactKind.DISPUTE: (FactState.OPEN, FactState.WON, FactState.LOST),
}
"""Maps each kind to its states, lowest rank first."""

MAX_DECLINES = 20
"""The number of declines kept per order. Only the last code is shown, so older ones are dropped."""


@dataclass(frozen=True, slots=True)
class ProviderFact:
    kind: FactKind
    id: str
    """The provider's id of the intent, charge, refund or dispute."""
    intent_id: str
    state: FactState
    amount_minor: int
    """In minor units of ISO 4217, not in the provider's unit."""
    currency: CurrencyCode | None
    """None if the provider reports a currency that ISO 4217 does not have."""
    at: datetime
    """By the provider's clock."""
    row: int | None = None
    """The number of our attempt or refund in the metadata; None for an object that we did not
    create, such as a refund made in the provider's dashboard.
    """
    code: str = ""
    """The provider's reason, such as `card_declined`."""

    @property
    def rank(self) -> int:
        return RANKS[self.kind].index(self.state)


def merge_facts(known: Iterable[ProviderFact], new: Iterable[ProviderFact]) -> tuple[ProviderFact, ...]:
    """Return one fact per object, sorted by kind and id, each with the highest rank seen."""
    merged: dict[tuple[FactKind, str], ProviderFact] = {}
    for fact in (*known, *new):
        key = (fact.kind, fact.id)
        merged[key] = _merge(merged[key], fact) if key in merged else fact
    declines = sorted((fact for fact in merged.values() if fact.kind is FactKind.DECLINE), key=_newest_last)
    for fact in declines[:-MAX_DECLINES]:
        del merged[fact.kind, fact.id]
    return tuple(merged[key] for key in sorted(merged))


def _merge(one: ProviderFact, other: ProviderFact) -> ProviderFact:
    """Return the later fact about an object. The result keeps our number, which not every message
    has.
    """
    latest = max(one, other, key=_precedence)
    row = max((fact.row for fact in (one, other) if fact.row is not None), default=None)
    return latest if latest.row == row else replace(latest, row=row)


def _precedence(fact: ProviderFact) -> tuple[int, datetime, int, str, str, str]:
    """Order all facts about one object, so that even contradictory ones merge in any order."""
    return fact.rank, fact.at, fact.amount_minor, str(fact.currency), fact.code, fact.intent_id


def _newest_last(fact: ProviderFact) -> tuple[datetime, str]:
    return fact.at, fact.id
