"""Only published signing keys may verify tokens; a key set with no signing key is an error."""

import base64
import contextlib

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from auth.jwks import KeySourceError, signing_keys
from settings.oidc import ALGORITHMS
from tests.support.tokens import jwk, rsa_key

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=4), children, max_size=3),
    max_leaves=8,
)
ODD_KEYS = st.fixed_dictionaries(
    {"kid": st.just("k") | JSON, "use": st.just("sig"), "kty": st.sampled_from(["RSA", "EC", "oct", "OKP"]) | JSON},
    optional=dict.fromkeys(("alg", "n", "e", "crv", "x", "y", "k"), JSON),
)

EC_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "kid": "ec",
    "use": "sig",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
}


def test_signing_keys_are_indexed_by_kid() -> None:
    assert signing_keys({"keys": [jwk("k1"), jwk("k2"), EC_KEY]}) == {"k1": jwk("k1"), "k2": jwk("k2"), "ec": EC_KEY}


def test_key_without_alg_is_accepted() -> None:
    plain = jwk("k1")
    del plain["alg"]
    assert signing_keys({"keys": [plain]}) == {"k1": plain}


@pytest.mark.parametrize(
    "unusable",
    [
        jwk("k1", use="enc"),
        jwk("k1", use=None),
        jwk("k1", kid=None),
        jwk("k1", kid=7),
        jwk("k1", alg="RSA-OAEP"),
        jwk("k1", alg="RS1"),
        jwk("k1", alg=["RS256"]),
        jwk("k1") | RSAAlgorithm.to_jwk(rsa_key("k1"), as_dict=True) | {"key_ops": ["verify"]},
        jwk("k1", n=5),
        jwk("short", bits=1_024),
        {"kty": "oct", "kid": "k1", "use": "sig"},
        {"kty": "oct", "kid": "k1", "use": "sig", "k": base64.urlsafe_b64encode(b"s" * 32).decode()},
        "not a key",
        None,
    ],
)
def test_unusable_keys_are_ignored(unusable: object) -> None:
    with pytest.raises(KeySourceError):
        signing_keys({"keys": [unusable]})
    assert signing_keys({"keys": [unusable, jwk("good")]}) == {"good": jwk("good")}


@pytest.mark.parametrize("published", [{}, {"keys": None}, {"keys": {}}, {"keys": []}])
def test_key_set_without_keys_is_an_error(published: dict[str, object]) -> None:
    with pytest.raises(KeySourceError, match="no signing key"):
        signing_keys(published)


@given(keys=JSON | st.lists(JSON | ODD_KEYS, max_size=4))
def test_reading_any_json_returns_allowed_keys_or_raises_an_error(keys: object) -> None:
    with contextlib.suppress(KeySourceError):
        for kid, key in signing_keys({"keys": keys}).items():
            assert key["kid"] == kid
            assert jwt.PyJWK(key).algorithm_name in ALGORITHMS


def test_public_key_is_the_published_one() -> None:
    (key,) = signing_keys({"keys": [jwk("k1")]}).values()
    assert jwt.PyJWK(key).key.public_numbers() == rsa_key("k1").public_key().public_numbers()
