"""A pass is verified once and remembered by its digest; its owner and concert are checked again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auth import passes
from auth.passes import BadPass, PassClaims, PassSigner
from domain.ids import ConcertId, EntryId, PersonId

NOW = datetime(2026, 11, 20, 20, tzinfo=UTC)
ANN, CONCERT = PersonId("ann"), ConcertId("abcdefghjkmn")


def _claims(entry_id: int = 7) -> PassClaims:
    return PassClaims(CONCERT, ANN, EntryId(entry_id), NOW, NOW + timedelta(minutes=5))


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def signer(key: Ed25519PrivateKey) -> PassSigner:
    return PassSigner(key)


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the tokens whose signatures are checked from now on."""
    tokens: list[str] = []
    decode = jwt.decode

    def record(token: str, *arguments: Any, **options: Any) -> Any:
        tokens.append(token)
        return decode(token, *arguments, **options)

    monkeypatch.setattr(jwt, "decode", record)
    return tokens


def _read(signer: PassSigner, token: str, *, concert_id: ConcertId = CONCERT, person_id: PersonId = ANN) -> EntryId:
    return signer.read_entry_id(token, concert_id=concert_id, person_id=person_id)


def test_signature_of_a_pass_is_checked_once(signer: PassSigner, key: Ed25519PrivateKey, checked: list[str]) -> None:
    token = PassSigner(key).sign(_claims())
    assert [_read(signer, token) for _ in range(3)] == [7, 7, 7]
    assert checked == [token]


def test_signature_of_its_own_pass_is_not_checked(signer: PassSigner, checked: list[str]) -> None:
    assert _read(signer, signer.sign(_claims())) == 7
    assert checked == []


def test_remembered_pass_is_refused_to_another_person_or_concert(signer: PassSigner) -> None:
    token = signer.sign(_claims())
    _read(signer, token)
    for concert_id, person_id in ((CONCERT, PersonId("ben")), (ConcertId("another"), ANN)):
        with pytest.raises(BadPass):
            _read(signer, token, concert_id=concert_id, person_id=person_id)
    assert _read(signer, token) == 7


def test_remembered_pass_with_one_other_letter_is_refused(signer: PassSigner) -> None:
    token = signer.sign(_claims())
    _read(signer, token)
    head, payload, signature = token.split(".")
    other = "A" if signature[0] != "A" else "B"
    for forged in (f"{head}.{payload}.{other}{signature[1:]}", f" {token}", f"{token}\u00e4"):
        with pytest.raises(BadPass):
            _read(signer, forged)


def test_forged_pass_is_checked_and_refused_each_time(signer: PassSigner, checked: list[str]) -> None:
    forged = PassSigner(Ed25519PrivateKey.generate()).sign(_claims())
    for _ in range(2):
        with pytest.raises(BadPass):
            _read(signer, forged)
    assert checked == [forged, forged]


def test_signer_with_another_key_refuses_a_pass_that_the_first_remembers(signer: PassSigner) -> None:
    token = signer.sign(_claims())
    _read(signer, token)
    with pytest.raises(BadPass):
        _read(PassSigner(Ed25519PrivateKey.generate()), token)


def test_least_recently_used_pass_is_verified_again(checked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "MAX_VERIFIED_KEPT", 2)
    key = Ed25519PrivateKey.generate()
    signer, other = PassSigner(key), PassSigner(key)
    first, second, third = (other.sign(_claims(entry_id)) for entry_id in (1, 2, 3))
    assert [_read(signer, token) for token in (first, second, first, third)] == [1, 2, 1, 3]
    assert [_read(signer, token) for token in (first, second)] == [1, 2]
    assert checked == [first, second, third, second]


def test_memory_of_passes_does_not_contain_a_pass(signer: PassSigner, key: Ed25519PrivateKey) -> None:
    token = PassSigner(key).sign(_claims())
    _read(signer, token)
    assert token not in repr(vars(signer))
