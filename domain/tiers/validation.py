"""Checks of the texts and the rules of tiers, and of the removal of tiers. Each check yields the
problems that it finds, with the path of each in the input.

A tier has its own sale window inside the window of its concert. A change to the concert never
conflicts with the window of a tier that the change does not name, because an organizer must be able
to end a sale early.
"""

from collections.abc import Iterator
from datetime import datetime

from domain.concerts import Concert, ConcertChange, ConcertDraft, ConcertStatus, ConcertTerms, TierChange, TierDraft
from domain.inputs.problems import (
    EARLIEST,
    LATEST,
    FieldProblem,
    InputRule,
    number_problems,
    unknown_tier_problem,
)
from domain.text.characters import block_problems, line_problems
from domain.tiers.rules import TierRules
from domain.validation import MAX_LIMIT, MAX_NAME, MAX_TIERS

MAX_TIER_DESCRIPTION = 1_000


def draft_tier_problems(draft: ConcertDraft) -> Iterator[FieldProblem]:
    """Yield the problems with the texts and rules of the tiers of a new concert."""
    for index, tier in enumerate(draft.tiers[:MAX_TIERS]):
        yield from _new_tier_problems(f"tiers.{index}", tier, draft.terms)


def given_tier_problems(change: ConcertChange) -> Iterator[FieldProblem]:
    """Yield the problems with the given values, regardless of the concert's current state."""
    for index, tier in enumerate(change.tiers):
        yield from _text_problems(f"tiers.{index}", tier)
        yield from _value_problems(f"tiers.{index}", dict(tier.rules.given))
    for index, added in enumerate(change.new_tiers[:MAX_TIERS]):
        yield from _text_problems(f"newTiers.{index}", added)
        yield from _value_problems(f"newTiers.{index}", _values(added.rules))
    for index, removed in enumerate(change.removed_tiers):
        if removed and removed in change.removed_tiers[:index]:
            message = "names the same tier as an earlier item; remove one of them"
            yield FieldProblem(f"removedTiers.{index}", message, InputRule.REPEATED)
        if removed and any(removed == tier.id for tier in change.tiers):
            message = "is also changed in `tiers`; either change it or remove it"
            yield FieldProblem(f"removedTiers.{index}", message, InputRule.CONFLICT, other="tiers")


def changed_tier_problems(before: Concert, after: Concert, change: ConcertChange) -> Iterator[FieldProblem]:
    """Yield the conflicts of the rules of tiers with each other and with the concert, and the
    problems with removed tiers.
    """
    for index, given in enumerate(change.tiers):
        tier = after.tier(given.id)
        if tier is not None and given.rules.given:
            yield from _rule_conflicts(f"tiers.{index}", tier.rules, after.terms)
    for index, draft in enumerate(change.new_tiers[:MAX_TIERS]):
        yield from _rule_conflicts(f"newTiers.{index}", draft.rules, after.terms)
    changed = {tier.id for tier in change.tiers if tier.rules.given}
    kept = [tier.rules.min_per_order for tier in before.tiers if tier.id not in {*changed, *change.removed_tiers}]
    yield from _limit_conflicts(before.terms, after.terms, max(kept, default=1))
    yield from _removal_problems(before, after, change)


def _new_tier_problems(path: str, tier: TierDraft, terms: ConcertTerms) -> Iterator[FieldProblem]:
    yield from _text_problems(path, tier)
    yield from _value_problems(path, _values(tier.rules))
    yield from _rule_conflicts(path, tier.rules, terms)


def _text_problems(path: str, tier: TierDraft | TierChange) -> Iterator[FieldProblem]:
    description, zone = tier.description or "", tier.zone or ""
    yield from block_problems(f"{path}.description", description, longest=MAX_TIER_DESCRIPTION, may_be_empty=True)
    yield from line_problems(f"{path}.zone", zone, longest=MAX_NAME, may_be_empty=True)


def _values(rules: TierRules) -> dict[str, object]:
    return {
        "sales_start_at": rules.sales_start_at,
        "sales_end_at": rules.sales_end_at,
        "min_per_order": rules.min_per_order,
        "max_per_order": rules.max_per_order,
    }


def _value_problems(path: str, values: dict[str, object]) -> Iterator[FieldProblem]:
    """Yield the problems with individual values; None is never a problem."""
    for name, field in (("sales_start_at", "salesStartAt"), ("sales_end_at", "salesEndAt")):
        moment = values.get(name)
        if isinstance(moment, datetime) and not EARLIEST <= moment < LATEST:
            first, last = EARLIEST.year, LATEST.year - 1
            message = f"must be in the years {first} to {last}"
            yield FieldProblem(f"{path}.{field}", message, InputRule.WRONG_YEAR, minimum=first, maximum=last)
    for name, field in (("min_per_order", "minPerOrder"), ("max_per_order", "maxPerOrder")):
        number = values.get(name)
        if isinstance(number, int):
            yield from number_problems(f"{path}.{field}", number, 1, MAX_LIMIT)


def _rule_conflicts(path: str, rules: TierRules, terms: ConcertTerms) -> Iterator[FieldProblem]:
    start, end = rules.sales_start_at, rules.sales_end_at
    if start is not None and end is not None and start >= end:
        message = "must be after salesStartAt of the tier"
        yield FieldProblem(f"{path}.salesEndAt", message, InputRule.TOO_EARLY, other=f"{path}.salesStartAt")
    if start is not None and start >= terms.sales_end_at:
        message = "must be before salesEndAt of the concert"
        yield FieldProblem(f"{path}.salesStartAt", message, InputRule.TOO_LATE, other="salesEndAt")
    if end is not None and end <= terms.sales_start_at:
        message = "must be after salesStartAt of the concert"
        yield FieldProblem(f"{path}.salesEndAt", message, InputRule.TOO_EARLY, other="salesStartAt")
    least, most = rules.min_per_order, rules.max_per_order
    if most is not None and least > most:
        yield _too_high(path, least, "maxPerOrder", most)
    for name, limit in (("limitPerOrder", terms.limit_per_order), ("limitPerPerson", terms.limit_per_person)):
        if least > 1 and limit < least:
            yield _too_high(path, least, name, limit)


def _too_high(path: str, least: int, name: str, limit: int) -> FieldProblem:
    message = f"is {least}; it must be at most {name}, which is {limit}"
    return FieldProblem(
        f"{path}.minPerOrder", message, InputRule.OUT_OF_RANGE, minimum=1, maximum=limit, given=least, other=name
    )


def _limit_conflicts(before: ConcertTerms, after: ConcertTerms, least: int) -> Iterator[FieldProblem]:
    """Yield a problem for each lowered limit that is below `least`, the highest minimum of an
    unchanged tier.
    """
    pairs = (
        ("limitPerOrder", before.limit_per_order, after.limit_per_order),
        ("limitPerPerson", before.limit_per_person, after.limit_per_person),
    )
    for path, old, new in pairs:
        if new < old and new < least:
            message = f"is {new}; it must be at least {least}, because a tier has minPerOrder {least}"
            yield FieldProblem(path, message, InputRule.OUT_OF_RANGE, minimum=least, given=new, other="minPerOrder")


def _removal_problems(before: Concert, after: Concert, change: ConcertChange) -> Iterator[FieldProblem]:
    if not change.removed_tiers:
        return
    if before.status is not ConcertStatus.DRAFT:
        yield FieldProblem(
            "removedTiers",
            "is possible only while the concert is a draft; withdraw the tiers with `isWithdrawn` in `tiers`,"
            " and then hide them with `isHidden`",
            InputRule.CONFLICT,
            other="status",
        )
        return
    for index, tier_id in enumerate(change.removed_tiers):
        if tier_id and before.tier(tier_id) is None:
            yield unknown_tier_problem(f"removedTiers.{index}")
    if not after.tiers:
        message = "leaves the concert without tiers; keep one, or add one with `newTiers`"
        yield FieldProblem("removedTiers", message, InputRule.CONFLICT, other="newTiers")
