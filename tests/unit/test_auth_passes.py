"""Every process signs the same queue pass for a person, and anyone can verify it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auth.passes import AUDIENCE, TYPE, BadPass, PassClaims, PassSigner, signer_from_file, signer_from_pem
from domain.ids import ConcertId, EntryId, PersonId

NOW = datetime(2026, 11, 20, 20, tzinfo=UTC)
ANN, CONCERT = PersonId("ann"), ConcertId("abcdefghjkmn")
CLAIMS = PassClaims(CONCERT, ANN, EntryId(7), NOW, NOW + timedelta(minutes=5))


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def test_pass_has_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    one, other = (signer_from_file(tmp_path / "pass.pem") for _ in range(2))
    assert one.sign(CLAIMS) == other.sign(CLAIMS)
    assert (tmp_path / "pass.pem").stat().st_mode & 0o777 == 0o600


def test_published_key_verifies_a_pass(key: Ed25519PrivateKey) -> None:
    signer = PassSigner(key)
    (published,) = signer.jwks["keys"]
    token = signer.sign(CLAIMS)
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "typ": TYPE, "kid": published["kid"]}
    public = jwt.PyJWK(json.loads(json.dumps(published)))
    claims = jwt.decode(token, public, algorithms=["EdDSA"], audience=AUDIENCE, options={"verify_exp": False})
    assert (claims["sub"], claims["concert"], claims["place"], claims["jti"]) == (ANN, CONCERT, 7, CLAIMS.id)
    assert claims["exp"] - claims["iat"] == 301


def test_pass_is_valid_for_one_person_at_one_concert(key: Ed25519PrivateKey) -> None:
    signer = PassSigner(key)
    token = signer.sign(CLAIMS)
    assert signer.read_entry_id(token, concert_id=CONCERT, person_id=ANN) == 7
    for concert_id, person_id in [(ConcertId("another"), ANN), (CONCERT, PersonId("ben"))]:
        with pytest.raises(BadPass):
            signer.read_entry_id(token, concert_id=concert_id, person_id=person_id)


def _forgeries(key: Ed25519PrivateKey) -> dict[str, str]:
    good: dict[str, Any] = {"aud": AUDIENCE, "sub": ANN, "concert": CONCERT, "place": 7, "jti": "j"}
    header = {"typ": TYPE}
    return {
        "another key": jwt.encode(good, Ed25519PrivateKey.generate(), algorithm="EdDSA", headers=header),
        "no algorithm": jwt.encode(good, "", algorithm="none", headers=header),
        "an access token": jwt.encode({**good, "aud": "onsale-api"}, key, algorithm="EdDSA", headers={"typ": "JWT"}),
        "another type": jwt.encode(good, key, algorithm="EdDSA", headers={"typ": "at+jwt"}),
        "another audience": jwt.encode({**good, "aud": "onsale-api"}, key, algorithm="EdDSA", headers=header),
        "no place": jwt.encode({**good, "place": None}, key, algorithm="EdDSA", headers=header),
        "a string as the place": jwt.encode({**good, "place": "7"}, key, algorithm="EdDSA", headers=header),
        "empty": "",
        "garbage": "not a token",
        "too long": "x" * 5_000,
    }


@pytest.mark.parametrize("kind", list(_forgeries(Ed25519PrivateKey.generate())))
def test_forged_pass_is_refused(key: Ed25519PrivateKey, kind: str) -> None:
    with pytest.raises(BadPass):
        PassSigner(key).read_entry_id(_forgeries(key)[kind], concert_id=CONCERT, person_id=ANN)


def test_error_for_an_invalid_key_names_the_format() -> None:
    with pytest.raises(ValueError, match="PEM"):
        signer_from_pem(b"no key at all")
