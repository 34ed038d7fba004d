"""Creates keys, and tokens like those that Keycloak signs."""

import functools
import time
import uuid
from collections.abc import Mapping
from typing import Any, TypeAlias, cast

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

from settings import Settings

PrivateKey: TypeAlias = RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey

AUDIENCE = Settings().oidc.audience[0]
SUBJECT = "bb6a5dcf-f276-533f-bca8-8986c27853df"


def rsa_key(kid: str, bits: int = 2_048) -> RSAPrivateKey:
    """Return the key called `kid`. Keys are cached because generating one takes 0.1 s."""
    return _rsa_key(kid, bits)


@functools.cache
def _rsa_key(kid: str, bits: int) -> RSAPrivateKey:
    return generate_private_key(65_537, bits)


def jwk(kid: str, /, *, bits: int = 2_048, **changes: object) -> dict[str, object]:
    public = RSAAlgorithm.to_jwk(rsa_key(kid, bits).public_key(), as_dict=True)
    return {**public, "kid": kid, "alg": "RS256", "use": "sig", **changes}


def access_claims(issuer: str, **changes: object) -> dict[str, object]:
    """Return the claims of an access token. A value of None in `changes` removes a claim."""
    now_s = int(time.time())
    claims = {
        "exp": now_s + 900,
        "iat": now_s,
        "jti": str(uuid.uuid4()),
        "iss": issuer,
        "aud": [AUDIENCE, "account"],
        "sub": SUBJECT,
        "typ": "Bearer",
        "azp": "onsale-web",
        "realm_access": {"roles": ["customer", "offline_access"]},
        "preferred_username": "alice",
        "email": "alice@onsale.example",
        "email_verified": True,
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def signed(claims: Mapping[str, object], kid: str | None = "k1", /, **headers: object) -> str:
    """Sign claims with the key called `kid`. `headers` may name a different key."""
    named = {"kid": kid} if kid else {}
    return jwt.encode(dict(claims), rsa_key(kid or "k1"), "RS256", headers={**named, **headers})


def key_pair(algorithm: str) -> tuple[PrivateKey, dict[str, object]]:
    """Return a private key for the algorithm, and its published form.

    Its `kid` is the name of the algorithm.
    """
    key = _private_key(algorithm)
    public = cast(Any, jwt.get_algorithm_by_name(algorithm)).to_jwk(key.public_key(), as_dict=True)
    return key, {**public, "kid": algorithm, "alg": algorithm, "use": "sig"}


def signed_by(algorithm: str, claims: Mapping[str, object], **headers: object) -> str:
    """Sign claims with the key that `key_pair` returns."""
    return jwt.encode(dict(claims), _private_key(algorithm), algorithm, headers={"kid": algorithm, **headers})


@functools.cache
def _private_key(algorithm: str) -> PrivateKey:
    curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
    if algorithm == "EdDSA":
        return Ed25519PrivateKey.generate()
    return ec.generate_private_key(curves[algorithm]) if algorithm in curves else rsa_key(f"for {algorithm}")
