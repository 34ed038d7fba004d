"""Checks prices against what the payment provider can charge.

A price is 0 or payable: neither one ticket nor the largest order can be outside the provider's
limits. Nothing is rounded, so a buyer is charged what the order shows.
"""

from collections.abc import Iterator
from typing import Protocol

from domain.concerts import Concert, ConcertChange, ConcertDraft
from domain.inputs.problems import FieldProblem, InputRule
from domain.money import CurrencyCode, Money
from domain.validation import MAX_PRICE_MINOR, MAX_TIERS


class PriceLimits(Protocol):
    """The limits of one payment, in minor units."""

    @property
    def lowest(self) -> int: ...

    @property
    def highest(self) -> int: ...

    @property
    def step(self) -> int:
        """Return the number that every amount must be a multiple of."""
        ...


class PriceRules(Protocol):
    def amount_limits(self, currency: CurrencyCode) -> PriceLimits | None:
        """Return the limits of one payment, or None if no payment in the currency is possible."""
        ...


def draft_price_problems(draft: ConcertDraft, rules: PriceRules) -> Iterator[FieldProblem]:
    limits = rules.amount_limits(draft.currency)
    for index, tier in enumerate(draft.tiers[:MAX_TIERS]):
        price = Money(tier.price_minor, draft.currency)
        yield from _price_problems(f"tiers.{index}.priceMinor", price, limits, draft.terms.limit_per_order)


def changed_price_problems(
    before: Concert, after: Concert, change: ConcertChange, rules: PriceRules
) -> Iterator[FieldProblem]:
    """Yield the problems with changed prices and with a raised limit per order.

    An unchanged price may be outside the limits, because earlier versions of Onsale did not check
    them.
    """
    limits, per_order = rules.amount_limits(after.currency), after.terms.limit_per_order
    old_prices = {tier.id: tier.price_minor for tier in before.tiers}
    for index, tier in enumerate(change.tiers[:MAX_TIERS]):
        if tier.price_minor is not None and old_prices.get(tier.id) not in (None, tier.price_minor):
            price = Money(tier.price_minor, after.currency)
            yield from _price_problems(f"tiers.{index}.priceMinor", price, limits, per_order)
    for index, draft in enumerate(change.new_tiers[:MAX_TIERS]):
        price = Money(draft.price_minor, after.currency)
        yield from _price_problems(f"newTiers.{index}.priceMinor", price, limits, per_order)
    if limits is not None and per_order > before.terms.limit_per_order:
        kept = [tier.price_minor for tier in after.tiers if old_prices.get(tier.id) == tier.price_minor]
        yield from _limit_problems(Money(max(kept, default=0), after.currency), limits, per_order)


def _price_problems(
    path: str, price: Money, limits: PriceLimits | None, limit_per_order: int
) -> Iterator[FieldProblem]:
    """Yield the problem with a price, unless the general checks report it."""
    if not 0 < price.minor <= MAX_PRICE_MINOR:
        return
    if limits is None:
        message = f"is {price.minor}; it must be 0, because no payments in {price.currency} are possible"
        yield FieldProblem(path, message, InputRule.OUT_OF_RANGE, minimum=0, maximum=0, given=price.minor)
        return
    most = limits.highest // max(1, limit_per_order)
    if price.minor < limits.lowest:
        lowest = Money(limits.lowest, price.currency)
        message = f"is {price.minor} ({price}); it must be 0 or at least {lowest.minor} ({lowest})"
        yield FieldProblem(path, message, InputRule.OUT_OF_RANGE, minimum=lowest.minor, given=price.minor)
    elif price.minor % limits.step:
        step = Money(limits.step, price.currency)
        message = f"is {price.minor} ({price}); it must be a multiple of {step.minor} ({step})"
        yield FieldProblem(path, message, InputRule.NOT_A_MULTIPLE, step=step.minor, given=price.minor)
    elif price.minor > most:
        yield FieldProblem(
            path,
            f"is {price.minor} ({price}); with a limitPerOrder of {limit_per_order}, it must be at most {most}, because"
            f" one payment is at most {Money(limits.highest, price.currency)}",
            InputRule.OUT_OF_RANGE,
            maximum=most,
            given=price.minor,
            other="limitPerOrder",
        )


def _limit_problems(price: Money, limits: PriceLimits, limit_per_order: int) -> Iterator[FieldProblem]:
    if price.minor * limit_per_order > limits.highest:
        most = max(1, limits.highest // price.minor)
        yield FieldProblem(
            "limitPerOrder",
            f"is {limit_per_order}; it must be at most {most}, because a ticket costs {price} and one payment is at"
            f" most {Money(limits.highest, price.currency)}",
            InputRule.OUT_OF_RANGE,
            maximum=most,
            given=limit_per_order,
        )
