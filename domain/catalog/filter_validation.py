"""Checks of the conditions that clients set for a list of concerts."""

from collections.abc import Iterator

from domain.catalog.details_validation import country_problems
from domain.catalog.listing import PriceFilter
from domain.concerts import ConcertFilter
from domain.inputs.problems import FieldProblem, InputRule, count_problem
from domain.text.characters import line_problems
from domain.text.search_words import MAX_QUERY, MAX_QUERY_WORDS, query_words


def filter_problems(filter_: ConcertFilter) -> Iterator[FieldProblem]:
    """Yield the problems with a filter; an empty search or city is ignored."""
    for name, text in (("search", filter_.search), ("city", filter_.city)):
        found = list(line_problems(f"filter.{name}", text or "", longest=MAX_QUERY, may_be_empty=True))
        if not found and name == "search" and len(words := query_words(text or "")) > MAX_QUERY_WORDS:
            message = f"has {len(words)} words; at most {MAX_QUERY_WORDS} are allowed"
            found = [count_problem("filter.search", len(words), message, highest=MAX_QUERY_WORDS)]
        yield from found
    if filter_.country is not None:
        yield from country_problems("filter.country", filter_.country)
    if filter_.price is not None:
        yield from _price_problems(filter_.price)
    yield from _range_problems(filter_)


def _range_problems(filter_: ConcertFilter) -> Iterator[FieldProblem]:
    after, before = filter_.starts_after, filter_.starts_before
    if after is not None and before is not None and before <= after:
        message = "must be later than startsAfter; swap the two or omit one"
        yield FieldProblem("filter.startsBefore", message, InputRule.TOO_EARLY, other="startsAfter")


def _price_problems(price: PriceFilter) -> Iterator[FieldProblem]:
    bounds = (("lowestMinor", price.lowest_minor), ("highestMinor", price.highest_minor))
    for name, bound in bounds:
        if bound is not None and bound < 0:
            message = f"is {bound}; it must be 0 or more"
            yield FieldProblem(f"filter.price.{name}", message, InputRule.OUT_OF_RANGE, minimum=0, given=bound)
    lowest, highest = price.lowest_minor, price.highest_minor
    if lowest is not None and highest is not None and 0 <= highest < lowest:
        yield FieldProblem(
            "filter.price.highestMinor",
            f"is {highest}, less than lowestMinor ({lowest}); swap the two or omit one",
            InputRule.OUT_OF_RANGE,
            minimum=lowest,
            given=highest,
            other="lowestMinor",
        )
