"""`make bench-auth`: measures how many microseconds it takes to check a token.

For each algorithm, it verifies new tokens. PyJWT then verifies each of them with the same checks,
and its time sets the limit for the algorithm; the time for the signature alone is measured too.
Reading a token from the header and finding it in the cache may take at most a tenth of the time for
a new RS256 token. CPU time is measured, so that other processes on the machine do not affect the
results. They are also written to bench/results/auth.json.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auth.bearer import read_bearer
from auth.issuer_http import IssuerHttp
from auth.tokens import MAX_TOKEN_BYTES, TokenVerifier
from bench.metrics import Metric, as_json, median, table
from domain.errors import Unauthenticated
from settings import OidcSettings
from web.server import run_program

RESULTS = Path(__file__).parent / "results" / "auth.json"
TOKENS = 400
LIMIT_FACTOR = 2.5
"""The longest that verifying a new token may take, as a multiple of PyJWT's time.

The signature is checked twice, so that forged tokens are refused early.
"""
CACHED_SHARE = 10
_CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}


@dataclass(frozen=True, slots=True)
class SigningKey:
    algorithm: str
    private: Any
    published: dict[str, object]

    @classmethod
    def make(cls, algorithm: str) -> "SigningKey":
        private: Any
        if algorithm == "EdDSA":
            private = Ed25519PrivateKey.generate()
        elif algorithm in _CURVES:
            private = ec.generate_private_key(_CURVES[algorithm])
        else:
            private = rsa.generate_private_key(65_537, 2_048)
        as_jwk: Any = jwt.get_algorithm_by_name(algorithm)
        published = as_jwk.to_jwk(private.public_key(), as_dict=True)
        return cls(algorithm, private, {**published, "kid": algorithm, "alg": algorithm, "use": "sig"})

    def sign(self, issuer: str, **claims: object) -> str:
        payload = {**access_claims(issuer), **claims}
        return jwt.encode(payload, self.private, self.algorithm, headers={"kid": self.algorithm})


def access_claims(issuer: str) -> dict[str, object]:
    """Return claims that resemble Keycloak's in content and size."""
    now_s = int(time.time())
    return {
        "exp": now_s + 3_600,
        "iat": now_s,
        "jti": f"onrtro:{uuid.uuid4()}",
        "iss": issuer,
        "aud": ["onsale-api", "account"],
        "sub": str(uuid.uuid4()),
        "typ": "Bearer",
        "azp": "onsale-web",
        "sid": str(uuid.uuid4()),
        "acr": "1",
        "allowed-origins": ["https://tickets.example.org"],
        "realm_access": {"roles": ["default-roles-onsale", "offline_access", "customer", "uma_authorization"]},
        "resource_access": {"account": {"roles": ["manage-account", "manage-account-links", "view-profile"]}},
        "scope": "openid email profile",
        "email_verified": True,
        "name": "Alice Liddell",
        "preferred_username": "alice",
        "given_name": "Alice",
        "family_name": "Liddell",
        "email": "alice@onsale.example",
    }


@asynccontextmanager
async def serving_keys(keys: Sequence[SigningKey]) -> AsyncIterator[str]:
    """Publish the keys on loopback, and yield the address of the issuer."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
        document: dict[str, object] = {"keys": [key.published for key in keys]}
        if path.endswith(b"configuration"):
            document = {"issuer": issuer, "jwks_uri": f"{issuer}/certs"}
        body = json.dumps(document).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    issuer = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/realms/bench"
    async with server:
        yield issuer


@dataclass(slots=True)
class Samples:
    """The durations measured for one algorithm, in microseconds."""

    ours: list[float]
    pyjwt: list[float]
    signature: list[float]

    def metrics(self, algorithm: str) -> list[Metric]:
        bare = median(f"pyjwt_{algorithm}_us", self.pyjwt, "PyJWT alone, with the same claim checks")
        return [
            median(
                f"new_{algorithm}_us",
                self.ours,
                f"a token seen for the first time, at most {LIMIT_FACTOR} times PyJWT alone",
                at_most=round(bare.value * LIMIT_FACTOR, 1),
            ),
            bare,
            median(f"signature_{algorithm}_us", self.signature, "the signature alone, with the library cryptography"),
        ]


async def measure_algorithm(verifier: TokenVerifier, key: SigningKey, issuer: str, *, tokens: int) -> Samples:
    public, algorithm = jwt.PyJWK(key.published), jwt.get_algorithm_by_name(key.algorithm)
    samples = Samples([], [], [])
    for token in [key.sign(issuer) for _ in range(tokens)]:
        began = time.thread_time_ns()
        await verifier.verify(token)
        samples.ours.append(_us_since(began))
        samples.pyjwt.append(_timed(lambda token=token: _verify_bare(token, public, issuer)))  # type: ignore[misc]
        signed, _, signature = token.rpartition(".")
        message, raw = signed.encode(), jwt.utils.base64url_decode(signature)
        samples.signature.append(_timed(lambda m=message, r=raw: algorithm.verify(m, public.key, r)))  # type: ignore[misc]
    return samples


def _verify_bare(token: str, key: jwt.PyJWK, issuer: str) -> None:
    jwt.decode(
        token, key, algorithms=[key.algorithm_name], issuer=issuer, audience="onsale-api", options={"require": ["exp"]}
    )


async def measure_cached(verifier: TokenVerifier, token: str, *, at_most: float, count: int) -> Metric:
    header, took = f"Bearer {token}", list[float]()
    for _ in range(count):
        began = time.thread_time_ns()
        await verifier.verify(read_bearer(header))
        took.append(_us_since(began))
    what = f"read the header and find the token in the cache, at most 1/{CACHED_SHARE} of a new RS256 token"
    return median("caller_cached_us", took, what, at_most=at_most)


async def measure_refusal(verifier: TokenVerifier, name: str, token: str, what: str, *, count: int) -> Metric:
    took = list[float]()
    for _ in range(count):
        began = time.thread_time_ns()
        with contextlib.suppress(Unauthenticated):
            await verifier.verify(token)
        took.append(_us_since(began))
    return median(name, took, what)


async def measure(*, tokens: int) -> list[Metric]:
    keys = [SigningKey.make(algorithm) for algorithm in OidcSettings().algorithms]
    async with serving_keys(keys) as issuer, contextlib.aclosing(TokenVerifier(IssuerHttp(issuer))) as verifier:
        good = keys[0].sign(issuer)
        await verifier.verify(good)
        metrics = list[Metric]()
        for key in keys:
            metrics += (await measure_algorithm(verifier, key, issuer, tokens=tokens)).metrics(key.algorithm)
        limit = round(metrics[0].value / CACHED_SHARE, 1)
        cached = await measure_cached(verifier, good, at_most=limit, count=tokens * 10)
        forged = keys[0].sign(issuer, x="x" * (MAX_TOKEN_BYTES // 2))[:-8] + "AAAAAAAA"
        other = jwt.encode({"x": "x" * (MAX_TOKEN_BYTES // 2)}, "s" * 64, "HS512")
        refusals = [
            await measure_refusal(verifier, name, token, what, count=tokens)
            for name, token, what in (
                ("refused_forged_us", forged, f"a forged RS256 token of {len(forged):,} bytes"),
                ("refused_algorithm_us", other, f"an HS512 token of {len(other):,} bytes"),
                ("refused_text_us", "x" * MAX_TOKEN_BYTES, f"{MAX_TOKEN_BYTES:,} bytes that are not a token"),
            )
        ]
    return [cached, *metrics, *refusals]


def _timed(run: Callable[[], object]) -> float:
    began = time.thread_time_ns()
    run()
    return _us_since(began)


def _us_since(began_ns: int) -> float:
    return (time.thread_time_ns() - began_ns) / 1_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=TOKENS, help="number of tokens per algorithm")
    metrics = run_program(measure(tokens=parser.parse_args().tokens))
    sys.stdout.write(table(metrics) + "\n")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(as_json(metrics, {}), indent=2) + "\n")
    return 0 if all(metric.verdict != "over" for metric in metrics) else 1


if __name__ == "__main__":
    sys.exit(main())
