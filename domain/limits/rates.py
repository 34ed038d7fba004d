"""Rates: how often one person, or all people behind one address together, may make a call."""

from dataclasses import dataclass
from enum import StrEnum


class LimitedCall(StrEnum):
    JOIN_QUEUE = "JOIN_QUEUE"
    HOLD_TICKETS = "HOLD_TICKETS"
    PURCHASE_TICKETS = "PURCHASE_TICKETS"
    SYNC_ORDER_PAYMENT = "SYNC_ORDER_PAYMENT"
    TRANSFER_TICKET = "TRANSFER_TICKET"
    CHECK_IN_TICKETS = "CHECK_IN_TICKETS"


class RateScope(StrEnum):
    """Whose calls a rate counts."""

    PERSON = "PERSON"
    ADDRESS = "ADDRESS"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` calls in a burst, and on average `count` in `seconds`."""

    count: int
    seconds: int


@dataclass(frozen=True, slots=True)
class CallRates:
    """The rates of one call. None means that the call is not limited."""

    per_person: Rate | None = None
    per_address: Rate | None = None

    def of(self, scope: RateScope) -> Rate | None:
        return self.per_person if scope is RateScope.PERSON else self.per_address


NO_RATES = CallRates()


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The rates of an installation. By default, nothing is limited."""

    joins: CallRates = NO_RATES
    """Joins per concert that would create a queue entry."""
    holds: CallRates = NO_RATES
    """Holds per concert, including refused ones."""
    purchases: CallRates = NO_RATES
    """Purchases per concert."""
    hold_requests: CallRates = NO_RATES
    """Requests for holds that this process receives, for all concerts, including repeated ones."""
    payment_syncs: CallRates = NO_RATES
    """Requests that make this process ask the payment provider."""
    transfers: CallRates = NO_RATES
    """Offers of tickets to other people. Each sends an email."""
    check_ins: CallRates = NO_RATES
    """Calls that check tickets in, each with one or more scans."""


NO_LIMITS = RateLimits()
