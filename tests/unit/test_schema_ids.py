"""Global ids decode to their original parts, and any other text is malformed."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import BadUserInput, InvalidInput
from domain.ids import ConcertId, EntryId, HoldId, OrderId, TierId
from schema import ids
from schema.ids import GlobalId, IdReader, Kind, MalformedId

CONCERT = ConcertId("abcdefghjkmn")


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("value", "text", "found"),
    [
        (ids.of_concert(CONCERT), "Concert:abcdefghjkmn", GlobalId(Kind.CONCERT, ("abcdefghjkmn",))),
        (ids.of_tier(TierId(f"{CONCERT}-12")), "Tier:abcdefghjkmn-12", GlobalId(Kind.TIER, ("abcdefghjkmn-12",))),
        (ids.of_hold(CONCERT, HoldId("0a" * 16)), f"Hold:abcdefghjkmn:{'0a' * 16}",
         GlobalId(Kind.HOLD, ("abcdefghjkmn", "0a" * 16))),
        (ids.of_order(OrderId("0a" * 16)), f"Order:{'0a' * 16}", GlobalId(Kind.ORDER, ("0a" * 16,))),
        (ids.of_entry(CONCERT, EntryId(42)), "QueueEntry:abcdefghjkmn:42", GlobalId(Kind.QUEUE_ENTRY, (CONCERT, "42"))),
    ],
)  # fmt: skip
def test_global_id_contains_its_kind_and_parts(value: str, text: str, found: GlobalId) -> None:
    assert value == encoded(text)
    assert ids.decode(value) == found


@pytest.mark.parametrize(
    "value",
    [
        "",
        "abcdefghjkmn",
        encoded("Concert:abcdefghjkmn") + "=",
        encoded("Concert:abcdefghjkmn") + "A",
        " " + encoded("Concert:abcdefghjkmn"),
        base64.b64encode(b"Concert:a?>~~").decode(),
        encoded("Concert:"),
        encoded("Concert:ABC"),
        encoded("Concert:a:b"),
        encoded("Concert:{a}"),
        encoded("Concert:a\n"),
        encoded("Concert:é"),
        encoded("Hold:abcdefghjkmn"),
        encoded("Hold::"),
        encoded("Ticket:abcdefghjkmn"),
        encoded("concert:abcdefghjkmn"),
        encoded("Concert:" + "a" * 65),
        "ü",
        "\ud800",
        "A" * 10_000,
    ],
)
def test_text_that_was_never_encoded_is_malformed(value: str) -> None:
    with pytest.raises(MalformedId) as caught:
        ids.decode(value)
    assert len(str(caught.value)) < 600


@given(st.text())
def test_any_text_is_either_decoded_or_refused(text: str) -> None:
    for value in (text, encoded(f"Concert:{text}") if text.isprintable() else text):
        try:
            found = ids.decode(value)
        except MalformedId:
            continue
        assert found.kind is Kind.CONCERT
        assert value == ids.of_concert(ConcertId(found.parts[0]))


def test_error_for_an_id_of_another_kind_names_the_right_kind() -> None:
    with pytest.raises(BadUserInput, match="`id`: this is the id of a Tier; use the id of a Concert"):
        ids.argument("id", ids.of_tier(TierId("a-1")), Kind.CONCERT)


def test_all_malformed_ids_in_an_input_are_reported_together() -> None:
    reader = IdReader()
    reader.concert("concertId", "x")
    assert reader.tier("lines.0.tierId", ids.of_tier(TierId("a-1"))) == "a-1"
    reader.hold("holdId", ids.of_concert(CONCERT))
    with pytest.raises(InvalidInput) as caught:
        reader.finish()
    assert [problem.path for problem in caught.value.problems] == ["concertId", "holdId"]


def test_valid_ids_are_accepted() -> None:
    reader = IdReader()
    assert reader.hold("holdId", ids.of_hold(CONCERT, HoldId("b"))) == (CONCERT, "b")
    reader.finish()
