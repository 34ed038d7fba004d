"""Ticket codes: what a gate accepts, and the many things that it refuses."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import segno
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from domain.ids import ConcertId, OrderId, Unit, ticket_id
from tickets import base45
from tickets.codes import (
    CODE_BYTES,
    CODE_CHARACTERS,
    SIGNATURE_BYTES,
    BadCode,
    CodeContent,
    CodeProblem,
    read_code,
    sign_code,
    valid_until,
)
from tickets.keys import BadTicketKeyFile, TicketKeys, derive_key, key_id, own_master, read_masters

CONCERT, OTHER = ConcertId("abcdefghjkmn"), ConcertId("nmkjhgfedcba")
MASTER = bytes(range(32))
KEYS = TicketKeys([MASTER])
KEY = KEYS.signing_key(CONCERT)
RING = {KEY.id: KEY.public}
STARTS_AT = datetime(2026, 7, 1, 18, tzinfo=UTC)
CONTENT = CodeContent(ticket_id(OrderId("0" * 32), Unit(f"{CONCERT}-2:7")), 3, 2, valid_until(STARTS_AT))
CODE = sign_code(KEY, CONTENT)
RAW = base45.decode(CODE)


def problem_of(text: str, concert_id: ConcertId = CONCERT, *, now: datetime = STARTS_AT) -> CodeProblem:
    with pytest.raises(BadCode) as caught:
        read_code(text, concert_id, RING, now=now)
    return caught.value.problem


def test_code_says_what_was_signed() -> None:
    assert read_code(CODE, CONCERT, RING, now=STARTS_AT) == CONTENT


def test_ticket_of_one_generation_has_one_code() -> None:
    assert sign_code(TicketKeys([MASTER]).signing_key(CONCERT), CONTENT) == CODE
    assert sign_code(KEY, replace(CONTENT, generation=4)) != CODE


def test_code_is_167_characters_in_alphanumeric_mode() -> None:
    assert (len(RAW), len(CODE), CODE_CHARACTERS) == (CODE_BYTES, 167, 167)
    assert segno.make(CODE, error="m").mode == "alphanumeric"


@pytest.mark.parametrize("place", range(CODE_BYTES))
def test_each_changed_byte_is_refused(place: int) -> None:
    for bit in range(8):
        changed = bytearray(RAW)
        changed[place] ^= 1 << bit
        assert isinstance(problem_of(base45.encode(bytes(changed))), CodeProblem)


def test_changed_signature_is_a_bad_signature() -> None:
    changed = RAW[:-1] + bytes([RAW[-1] ^ 1])
    assert problem_of(base45.encode(changed)) is CodeProblem.BAD_SIGNATURE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "HELLO",
        CODE[:-1],
        CODE + "0",
        CODE.lower(),
        CODE + CODE,
        base45.encode(RAW[:-SIGNATURE_BYTES]),
        base45.encode(RAW + b"\0"),
        base45.encode(bytes([2]) + RAW[1:]),
        ":" * 167,
        "é" * 167,
        "A" * 4_096,
    ],
)
def test_text_that_is_not_a_code_is_malformed(text: str) -> None:
    assert problem_of(text) is CodeProblem.MALFORMED


def test_code_of_another_concert_is_refused() -> None:
    assert problem_of(CODE, OTHER) is CodeProblem.OTHER_CONCERT


def test_unknown_key_is_refused() -> None:
    forged = sign_code(derive_key(bytes(reversed(MASTER)), CONCERT), CONTENT)
    assert problem_of(forged) is CodeProblem.UNKNOWN_KEY


def test_signature_by_another_key_under_a_known_id_is_refused() -> None:
    forged = RAW[:-SIGNATURE_BYTES] + Ed25519PrivateKey.generate().sign(RAW[:-SIGNATURE_BYTES])
    assert problem_of(base45.encode(forged)) is CodeProblem.BAD_SIGNATURE


def test_code_expires_400_days_after_the_start() -> None:
    end = STARTS_AT + timedelta(days=400)
    assert read_code(CODE, CONCERT, RING, now=end) == CONTENT
    assert problem_of(CODE, now=end + timedelta(seconds=1)) is CodeProblem.EXPIRED


def test_concert_in_the_last_year_of_the_calendar_has_codes() -> None:
    last = datetime.max.replace(tzinfo=UTC, microsecond=0)
    content = replace(CONTENT, valid_until=valid_until(last))
    assert read_code(sign_code(KEY, content), CONCERT, RING, now=None).valid_until.year == 9999


@given(st.binary(max_size=200))
def test_base45_round_trips(content: bytes) -> None:
    assert base45.decode(base45.encode(content)) == content


@pytest.mark.parametrize(("content", "text"), [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"ietf!", "QED8WEX0")])
def test_base45_agrees_with_the_examples_of_its_rfc(content: bytes, text: str) -> None:
    assert (base45.encode(content), base45.decode(text)) == (text, content)


@pytest.mark.parametrize("text", ["A", "ABCD", "GGX", ":::", "::", "a00", "é0"])
def test_base45_refuses_text_that_encodes_no_bytes(text: str) -> None:
    with pytest.raises(ValueError, match="not Base45"):
        base45.decode(text)


def test_first_master_signs_and_all_are_known() -> None:
    newer = bytes(range(1, 33))
    keys = TicketKeys([newer, MASTER])
    assert keys.signing_key(CONCERT) == derive_key(newer, CONCERT)
    ring = {key.id: key.public for key in keys.keys_of(CONCERT)}
    assert read_code(CODE, CONCERT, ring, now=STARTS_AT) == CONTENT


def test_each_concert_and_generation_has_its_own_key() -> None:
    made = [derive_key(MASTER, CONCERT), derive_key(MASTER, OTHER), derive_key(MASTER, CONCERT, generation=2)]
    assert len({key.id for key in made}) == 3
    assert key_id(made[0].public) == made[0].id


def test_repr_of_a_key_shows_no_secret() -> None:
    assert "private" not in repr(KEY)


def test_own_master_is_created_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("keys") / "data" / "ticket-key"
    made = own_master(path)
    assert (own_master(path), read_masters([path])) == (made, (made,))
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", ["", "no base64!", "QUJD", "A" * 43 + "="])
def test_file_without_a_key_is_named(content: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("keys") / "key"
    path.write_text(content)
    with pytest.raises(BadTicketKeyFile, match="openssl rand -base64 32") as caught:
        read_masters([path])
    assert str(path) in str(caught.value)
    assert not content or content not in str(caught.value).replace(str(path), "")


def test_missing_key_file_is_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("keys") / "missing"
    with pytest.raises(BadTicketKeyFile, match="missing cannot be read"):
        read_masters([path])
