"""The error tables are complete, and clients receive the errors that they define."""

import logging
from collections.abc import Iterator

import pytest
from graphql import GraphQLError, GraphQLObjectType, GraphQLUnionType, build_schema, located_error

import schema
from domain import errors as domain_errors
from domain.errors import Denial, ErrorCode, OnsaleError, Refusal
from domain.ids import HoldId, TierId
from domain.inputs.problems import FieldProblem, InputRule
from domain.limits import errors as limit_errors
from domain.limits.rates import LimitedCall, Rate, RateScope
from schema.execution.top_level_errors import SYSTEM_CODES, SystemCode, to_top_level_error
from schema.mutations.result_errors import ERROR_TYPES

TIER = TierId("abcdefghjkmn-1")


def _below(base: type[OnsaleError]) -> Iterator[type[OnsaleError]]:
    for child in base.__subclasses__():
        yield child
        yield from _below(child)


def test_every_refusal_has_an_error_type_named_after_it() -> None:
    assert set(ERROR_TYPES) == set(_below(Refusal))
    assert {refusal: error.__name__ for refusal, error in ERROR_TYPES.items()} == {
        refusal: f"{refusal.__name__}Error" for refusal in ERROR_TYPES
    }


def test_every_denial_has_a_code() -> None:
    assert set(_below(Denial)) == {type_ for type_ in SYSTEM_CODES if issubclass(type_, Denial)}


def test_every_error_code_belongs_to_one_refusal() -> None:
    assert sorted(refusal.code for refusal in ERROR_TYPES) == sorted(ErrorCode)


def test_every_error_type_is_a_member_of_a_union() -> None:
    unions = [type_ for type_ in build_schema(schema.sdl()).type_map.values() if isinstance(type_, GraphQLUnionType)]
    members = {member.name for union in unions for member in union.types}
    assert {error.__name__ for error in ERROR_TYPES.values()} <= members


def test_every_error_type_implements_the_interface() -> None:
    built = build_schema(schema.sdl())
    for error in ERROR_TYPES.values():
        type_ = built.type_map[error.__name__]
        assert isinstance(type_, GraphQLObjectType)
        assert [str(interface) for interface in type_.interfaces] == ["DomainError"]


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (domain_errors.Unauthenticated("Sign in."), {"code": "UNAUTHENTICATED"}),
        (domain_errors.Forbidden("No."), {"code": "FORBIDDEN"}),
        (domain_errors.BadUserInput("What?"), {"code": "BAD_USER_INPUT"}),
        (
            limit_errors.RateLimited(LimitedCall.JOIN_QUEUE, RateScope.PERSON, Rate(20, 60), retry_after_s=7),
            {"code": "RATE_LIMITED", "retryable": True, "retryAfterSeconds": 7},
        ),
        (
            domain_errors.InvalidInput(FieldProblem("first", "is 0", InputRule.OUT_OF_RANGE, minimum=1, given=0)),
            {
                "code": "BAD_USER_INPUT",
                "retryable": False,
                "problems": [
                    {"path": "first", "message": "is 0", "rule": "OUT_OF_RANGE", "minimum": 1, "given": 0},
                ],
            },
        ),
        (
            domain_errors.TemporarilyUnavailable("The store does not answer", retry_after_s=3),
            {"code": "UNAVAILABLE", "retryable": True, "retryAfterSeconds": 3},
        ),
        (
            domain_errors.PurchaseInProgress(HoldId("h")),
            {"code": "PURCHASE_IN_PROGRESS", "retryable": False},
        ),
        (domain_errors.SoldOut(TIER, 0, None), {"code": "SOLD_OUT", "retryable": False}),
    ],
)
def test_expected_error_is_sent_with_its_extensions(cause: OnsaleError, expected: dict[str, object]) -> None:
    error = located_error(cause, path=["concert", "stock"])
    assert to_top_level_error(error, "r1") == {
        "message": str(cause),
        "path": ["concert", "stock"],
        "extensions": {**expected, "requestId": "r1"},
    }


def test_unexpected_error_is_masked_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        shown = to_top_level_error(located_error(KeyError("secret"), path=["me"]), "r1")
    assert shown["extensions"] == {"code": "INTERNAL", "requestId": "r1"}
    assert "secret" not in str(shown)
    assert "r1" in str(shown["message"])
    assert "secret" in caplog.text


def test_error_reported_by_graphql_has_the_code_bad_user_input() -> None:
    found = GraphQLError("Variable '$x' …", original_error=GraphQLError("Int cannot represent …"))
    assert to_top_level_error(found, "r1") == {
        "message": "Variable '$x' …",
        "extensions": {"code": "BAD_USER_INPUT", "requestId": "r1"},
    }


def test_code_of_a_graphql_error_is_kept() -> None:
    error = GraphQLError("Too much.", extensions={"code": SystemCode.QUERY_TOO_COMPLEX})
    assert to_top_level_error(error, "r1")["extensions"] == {"code": "QUERY_TOO_COMPLEX", "requestId": "r1"}


def test_message_is_cut_after_600_characters() -> None:
    shown = to_top_level_error(GraphQLError("x" * 10_000), "r1")
    assert len(str(shown["message"])) == 602
