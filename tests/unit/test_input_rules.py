"""Each problem with an input names its rule, with the numbers that a page needs to translate it."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from graphql import GraphQLEnumType, GraphQLObjectType

import schema
from domain.catalog.filter_validation import filter_problems
from domain.concerts import ConcertChange, ConcertFilter, TierDraft, VenueChange
from domain.holds import TicketRequest
from domain.ids import ConcertId, PersonId, TicketId, TierId
from domain.inputs.problems import RULE_DATA, FieldProblem, InputRule
from domain.inputs.rooms import call_problems, patch_problems
from domain.money import CurrencyCode
from domain.payments.prices import draft_price_problems
from domain.payments.refunds import refund_choice_problems
from domain.room_changes import RoomSettingsPatch
from domain.text.characters import line_problems
from domain.text.email_addresses import email_problems
from domain.validation import (
    change_problems,
    draft_problems,
    given_problems,
    person_problems,
    ticket_line_problems,
)
from payments import amounts
from resolvers.context import Context
from schema import Operation, ids
from tests.support.sale import draft, viewer

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "domain",
    "resolvers",
    "schema",
    "storage",
    "payments",
    "tickets",
    "mail",
    "web",
    "workers",
    "subscriptions",
)
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
CONCERT = ConcertId("abc")
TIER = TierId("abc-1")
NOW = datetime(2030, 1, 1, tzinfo=UTC)
OTHER_TIER = TicketRequest(tier_id=TierId("xyz-1"), quantity=1)


def made_problems(path: Path) -> Iterator[tuple[str, list[ast.expr], set[str]]]:
    """Yield the place, the arguments and the keywords of each call that makes a problem."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "FieldProblem":
            place = f"{path.relative_to(ROOT)}:{node.lineno}"
            yield place, node.args, {keyword.arg or "**" for keyword in node.keywords}


MADE = [made for path in SOURCES for made in made_problems(path)]


@pytest.mark.parametrize(("place", "arguments", "keywords"), MADE, ids=[place for place, _, _ in MADE])
def test_problem_is_made_with_its_rule_and_numbers(place: str, arguments: list[ast.expr], keywords: set[str]) -> None:
    assert len(arguments) == 3, place
    text = ast.unparse(arguments[2])
    assert text.startswith("InputRule."), place
    rule = InputRule[text.removeprefix("InputRule.")]
    assert keywords >= RULE_DATA.get(rule, frozenset()), place
    if rule is InputRule.OUT_OF_RANGE:
        assert keywords & {"minimum", "maximum"}, place


def test_every_rule_is_used() -> None:
    assert {ast.unparse(arguments[2]).removeprefix("InputRule.") for _, arguments, _ in MADE} == set(InputRule)


def test_descriptions_name_the_numbers_of_each_rule() -> None:
    shown = cast("GraphQLEnumType", schema.CORE_SCHEMA.type_map["InputRule"])
    fields = set(cast("GraphQLObjectType", schema.CORE_SCHEMA.type_map["InputProblem"]).fields)
    assert set(shown.values) == set(InputRule)
    for name, value in shown.values.items():
        named = set(re.findall(r"`(\w+)`", value.description or ""))
        assert RULE_DATA.get(InputRule(name), frozenset()) - {"given"} <= named <= fields, name


def changed(**changes: Any) -> Iterable[FieldProblem]:
    change = ConcertChange(**changes)
    return [*change_problems(change), *given_problems(change)]


def priced(minor: int, *, limit: int = 10, currency: CurrencyCode = CurrencyCode.EUR) -> Iterable[FieldProblem]:
    made = draft(1, price_minor=minor)
    terms = replace(made.terms, limit_per_order=limit)
    return draft_price_problems(replace(made, terms=terms, currency=currency), amounts)


def patched(**settings: Any) -> Iterable[FieldProblem]:
    times = ConcertChange(sales_start_at=NOW, sales_end_at=NOW + timedelta(days=2))
    return patch_problems("room", RoomSettingsPatch(tuple(settings.items())), times)


@pytest.mark.parametrize(
    ("problems", "rule", "data"),
    [
        (line_problems("name", "x" * 201, longest=200), "TOO_LONG", {"maximum": 200, "given": 201}),
        (line_problems("name", " ", longest=200), "EMPTY", {}),
        (line_problems("name", "a\nb", longest=200), "FORBIDDEN_CHARACTER", {"position": 2}),
        (line_problems("name", "ab\u202ec", longest=200), "FORBIDDEN_CHARACTER", {"position": 3}),
        (line_problems("name", "a" + "\u0301" * 40, longest=200), "TOO_MANY_MARKS", {"maximum": 30, "position": 32}),
        (line_problems("name", "\u0301", longest=200), "INVISIBLE", {}),
        (email_problems("email", "alice"), "INVALID_FORMAT", {}),
        (email_problems("email", "a" * 65 + "@example.org"), "INVALID_FORMAT", {}),
        (ticket_line_problems(CONCERT, []), "WRONG_COUNT", {"minimum": 1, "maximum": 20, "given": 0}),
        (
            ticket_line_problems(CONCERT, [TicketRequest(tier_id=TIER, quantity=0)]),
            "OUT_OF_RANGE",
            {"minimum": 1, "maximum": 1000, "given": 0},
        ),
        (ticket_line_problems(CONCERT, [OTHER_TIER]), "OTHER_CONCERT", {}),
        (ticket_line_problems(ConcertId(""), [OTHER_TIER, OTHER_TIER]), "REPEATED", {}),
        (
            filter_problems(ConcertFilter(search="a b c d e f g h i j k")),
            "WRONG_COUNT",
            {"minimum": 0, "maximum": 10, "given": 11},
        ),
        (draft_problems(draft(1, slug="No Slug")), "INVALID_FORMAT", {}),
        (draft_problems(draft()), "WRONG_COUNT", {"minimum": 1, "maximum": 50, "given": 0}),
        (person_problems("organizerId", "house"), "INVALID_FORMAT", {}),
        (changed(venue=VenueChange(None, None, "Germany", None)), "INVALID_FORMAT", {}),
        (changed(venue=VenueChange(None, None, None, "Mars/Olympus")), "INVALID_FORMAT", {}),
        (changed(starts_at=datetime(1999, 1, 1, tzinfo=UTC)), "WRONG_YEAR", {"minimum": 2000, "maximum": 2099}),
        (changed(hold_duration_ms=0), "OUT_OF_RANGE", {"minimum": 1, "maximum": 7200, "given": 0}),
        (changed(payment_duration_ms=59_000), "OUT_OF_RANGE", {"minimum": 60, "maximum": 1800, "given": 59}),
        (changed(sales_start_at=NOW, sales_end_at=NOW), "TOO_EARLY", {"other": "salesStartAt"}),
        (
            changed(starts_at=NOW, sales_end_at=NOW + timedelta(days=2)),
            "TOO_LATE",
            {"other": "startsAt", "maximum": 86_400},
        ),
        (changed(starts_at=NOW, refunds_until=NOW + timedelta(days=2)), "TOO_LATE", {"other": "startsAt"}),
        (changed(new_tiers=(TierDraft("A", 0, 1), TierDraft("a", 0, 1))), "REPEATED", {}),
        (
            changed(gate_people=tuple(PersonId(f"p{number}") for number in range(101))),
            "WRONG_COUNT",
            {"minimum": 0, "maximum": 100, "given": 101},
        ),
        (changed(gate_people=(PersonId("gus"), PersonId("gus"))), "REPEATED", {}),
        (patched(opens_at=NOW - timedelta(days=1)), "TOO_EARLY", {"other": "salesStartAt"}),
        (patched(opens_at=NOW + timedelta(days=3)), "TOO_LATE", {"other": "salesEndAt"}),
        (patched(opens_at=NOW, prequeue_starts_at=NOW), "TOO_LATE", {"other": "opensAt"}),
        (patched(opens_at=None, prequeue_starts_at=NOW), "TOO_LATE", {"other": "salesStartAt"}),
        (
            patched(prequeue_starts_at=datetime(1999, 1, 1, tzinfo=UTC)),
            "WRONG_YEAR",
            {"minimum": 2000, "maximum": 2099},
        ),
        (patched(shuffle_at_start=True, queueing_method="RANDOM"), "CONFLICT", {"other": "queueingMethod"}),
        (call_problems(1001), "OUT_OF_RANGE", {"minimum": 1, "maximum": 1000, "given": 1001}),
        (refund_choice_problems([], [TicketId("t")]), "CONFLICT", {"other": "lines"}),
        (refund_choice_problems(None, []), "EMPTY", {}),
        (refund_choice_problems(None, [TicketId("t"), TicketId("t")]), "REPEATED", {}),
        (priced(1), "OUT_OF_RANGE", {"minimum": 50, "given": 1}),
        (priced(50_001, currency=CurrencyCode.KWD), "NOT_A_MULTIPLE", {"step": 10, "given": 50_001}),
        (
            priced(600_000_000, limit=2),
            "OUT_OF_RANGE",
            {"maximum": 499_999_999, "given": 600_000_000, "other": "limitPerOrder"},
        ),
    ],
)
def test_problem_has_the_numbers_of_its_rule(
    problems: Iterable[FieldProblem], rule: str, data: dict[str, int | str]
) -> None:
    (found,) = problems
    assert (found.rule, found.data) == (rule, data)


async def test_clients_read_the_rule_and_its_numbers() -> None:
    document = """mutation ($input: HoldTicketsInput!) { holdTickets(input: $input) { ... on InvalidInputError {
        problems { path rule minimum maximum given step position other } } } }"""
    line = {"tierId": ids.of_tier(TIER), "quantity": 0}
    input_ = {"concertId": ids.of_concert(CONCERT), "lines": [line], "idempotencyKey": "a\tb"}
    asking = Context(cast(Any, None), cast(Any, None), viewer("alice"), "test-request")
    payload: Any = (await schema.execute(Operation(document, {"input": input_}, None), asking)).payload
    nothing = dict.fromkeys(("minimum", "maximum", "given", "step", "position", "other"))
    quantity = {"rule": "OUT_OF_RANGE", "minimum": 1, "maximum": 1000, "given": 0}
    assert payload["data"]["holdTickets"]["problems"] == [
        nothing | {"path": "idempotencyKey", "rule": "FORBIDDEN_CHARACTER", "position": 2},
        nothing | {"path": "lines.0.quantity"} | quantity,
    ]
