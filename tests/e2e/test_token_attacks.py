"""The attacks on JSON Web Tokens listed in RFC 8725 fail over HTTP and WebSockets alike."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from auth.passes import PassClaims, PassSigner
from auth.tokens import MAX_TOKEN_BYTES
from domain.ids import ConcertId, EntryId, PersonId
from tests.support.refused_tokens import names_over_both, refusal_of, send_over_both
from tests.support.shop import Shop
from tests.support.tokens import access_claims, jwk, key_pair, rsa_key, signed, signed_by

pytestmark = pytest.mark.asyncio(loop_scope="module")

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
DEEP = "[" * 3_000
"""JSON that fits into a token and is nested more deeply than Python's parser allows."""

FORGED = "has an invalid signature; sign in again"
MALFORMED = "is malformed; send the access token exactly as the issuer returned it"
NOT_ACCEPTED = "which is not accepted; use RS256"
ANOTHER_ALGORITHM = "is signed with an algorithm that its key does not allow"


@pytest.fixture(scope="module", autouse=True)
def published(shop: Shop) -> None:
    """Publish a key of each kind, and one whose curve does not match its algorithm."""
    crossed = {**key_pair("ES384")[1], "kid": "crossed", "alg": "ES256"}
    shop.issuer.keys = [jwk("k1"), jwk("k2", alg="PS256"), *[key_pair(name)[1] for name in ("ES256", "EdDSA")], crossed]


async def check(shop: Shop, reason: str, attacks: Mapping[str, str]) -> None:
    """Check that each token is refused over both transports for this reason."""
    messages = {name: await refusal_of(shop, token) for name, token in attacks.items()}
    assert {name: message for name, message in messages.items() if reason not in message} == {}


def claims(shop: Shop, **changes: object) -> dict[str, object]:
    return access_claims(shop.issuer.issuer, **changes)


def forged(header: object, payload: object, signature: bytes = b"signature") -> str:
    """Return a token with this header, payload and signature. Strings are used as is."""
    parts = (part if isinstance(part, str) else json.dumps(part) for part in (header, payload))
    return ".".join(_encoded(part) for part in (*(part.encode() for part in parts), signature))


def hmac_signed(header: object, payload: object, secret: bytes) -> str:
    body = forged(header, payload).rpartition(".")[0]
    return f"{body}.{_encoded(hmac.digest(secret, body.encode(), hashlib.sha256))}"


def by_thief(payload: Mapping[str, object], **header: object) -> str:
    """Return a token signed by a key that the issuer does not publish."""
    return jwt.encode(dict(payload), rsa_key("thief"), "RS256", headers={"kid": "k1", **header})


def by_issuer(text: str, **header: object) -> str:
    """Return a token that the issuer signed, with this text as its payload."""
    return jwt.api_jws.encode(text.encode(), rsa_key("k1"), "RS256", headers={"kid": "k1", **header})


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


async def test_algorithm_none_is_refused_however_it_is_written(shop: Shop) -> None:
    names = ("none", "None", "NONE", "nOnE", "", None, 0, ["RS256"], {"RS256": 1})
    attacks = {repr(name): forged({"alg": name, "kid": "k1"}, claims(shop), b"") for name in names}
    await check(shop, NOT_ACCEPTED, attacks | {"no alg": forged({"kid": "k1"}, claims(shop))})
    await check(shop, FORGED, {"no signature": signed(claims(shop)).rpartition(".")[0] + "."})


async def test_public_key_is_never_used_as_an_hmac_secret(shop: Shop) -> None:
    public = rsa_key("k1").public_key()
    pem, der = (public.public_bytes(form, PublicFormat.SubjectPublicKeyInfo) for form in (Encoding.PEM, Encoding.DER))
    secrets = {"PEM": pem, "PEM without line break": pem.strip(), "DER": der, "JWK": json.dumps(jwk("k1")).encode()}
    header = {"kid": "k1", "typ": "JWT"}
    by_secret = {
        name: hmac_signed({"alg": "HS256", **header}, claims(shop), secret)
        for name, secret in {**secrets, "empty": b""}.items()
    }
    await check(shop, NOT_ACCEPTED, by_secret)
    as_rsa = {name: hmac_signed({"alg": "RS256", **header}, claims(shop), key) for name, key in secrets.items()}
    await check(shop, FORGED, as_rsa)


async def test_key_in_a_token_is_ignored(shop: Shop) -> None:
    headers: dict[str, dict[str, object]] = {
        "jwk": {"jwk": jwk("thief", kid="k1")},
        "jku": {"jku": "https://evil.example/certs"},
        "jku at the issuer": {"jku": f"{shop.issuer.issuer}/certs?kid=thief"},
        "x5u": {"x5u": "https://evil.example/certificate"},
        "x5c": {"x5c": ["MIIB"], "x5t": "x"},
    }
    await check(shop, FORGED, {name: by_thief(claims(shop), **header) for name, header in headers.items()})


async def test_key_id_is_used_only_for_comparison(shop: Shop) -> None:
    kids = (
        "../../dev/null",
        "/dev/null",
        "k1' OR '1'='1",
        "k1; DROP TABLE keys",
        "k1\x00",
        "$(id)",
        "K1",
        "",
        "x" * 5_000,
    )
    for kid in (*kids, "http://169.254.169.254/"):
        refusal = await send_over_both(shop, by_thief(claims(shop), kid=kid, jwk=jwk("thief", kid=kid)))
        # A key that was not looked up is only unknown, not confirmed as absent.
        assert (refusal.status, refusal.close_code) in {(401, 4403), (503, 4403), (503, 1013)}
    attacks = {"a list": forged({"alg": "RS256", "kid": ["k1"]}, claims(shop)), "absent": signed(claims(shop), None)}
    await check(shop, "has no key id (kid)", attacks)


async def test_header_that_changes_the_format_is_refused(shop: Shop) -> None:
    header = {"alg": "RS256", "kid": "k1"}
    attacks = {
        "crit, signed by the issuer": by_issuer(json.dumps(claims(shop)), crit=["exp"]),
        "encryption": "e30.e30.e30.e30.e30",
    }
    await check(shop, MALFORMED, attacks)
    changes: dict[str, dict[str, object]] = {
        "crit": {"crit": ["exp"]},
        "empty crit": {"crit": []},
        "b64 without crit": {"b64": False},
        "b64": {"b64": False, "crit": ["b64"]},
        "compression": {"zip": "DEF"},
    }
    await check(shop, FORGED, {name: forged({**header, **change}, claims(shop)) for name, change in changes.items()})
    await check(shop, FORGED, {"detached payload": by_issuer(json.dumps(claims(shop)), b64=False)})
    await check(shop, FORGED, {"no payload": forged({**header, "b64": False, "crit": ["b64"]}, "")})


async def test_payload_must_be_an_object(shop: Shop) -> None:
    attacks = {
        "token inside a token": by_issuer(f'"{signed(claims(shop))}"', cty="JWT"),
        "a token as the payload": by_issuer(signed(claims(shop)), cty="JWT"),
        "list": by_issuer(json.dumps([claims(shop)])),
        "nothing": by_issuer(""),
        "deep JSON": by_issuer(DEEP),
        "a time of 5,000 digits": by_issuer('{"exp": ' + "9" * 5_000 + "}"),
    }
    await check(shop, MALFORMED, attacks)


async def test_duplicate_members_do_not_make_a_token_valid(shop: Shop) -> None:
    twice = json.dumps(claims(shop))[:-1] + ', "sub": "olivia", "sub": "alice"}'
    await check(
        shop,
        FORGED,
        {
            "sub": forged({"alg": "RS256", "kid": "k1"}, twice),
            "alg": forged('{"alg": "none", "kid": "k1", "alg": "RS256"}', claims(shop), b""),
        },
    )
    await check(shop, NOT_ACCEPTED, {"alg": forged('{"alg": "RS256", "kid": "k1", "alg": "none"}', claims(shop), b"")})


async def test_last_of_two_claims_with_the_same_name_is_used(shop: Shop) -> None:
    text = json.dumps(claims(shop))[:-1] + ', "preferred_username": "last"}'
    assert await names_over_both(shop, by_issuer(text)) == ("last", "last")


async def test_key_is_used_only_with_its_algorithm(shop: Shop) -> None:
    attacks = {
        "PS256 with a key for RS256": jwt.encode(claims(shop), rsa_key("k1"), "PS256", headers={"kid": "k1"}),
        "RS512 with a key for RS256": jwt.encode(claims(shop), rsa_key("k1"), "RS512", headers={"kid": "k1"}),
        "RS256 with a key for PS256": signed(claims(shop), "k2"),
        "RS256 with an elliptic-curve key": signed(claims(shop), "k1", kid="ES256"),
        "ES256 with an Edwards curve": signed_by("ES256", claims(shop), kid="EdDSA"),
        "ES384 with a key for ES256": signed_by("ES384", claims(shop), kid="ES256"),
    }
    await check(shop, ANOTHER_ALGORITHM, attacks)
    other_curve = ec.generate_private_key(ec.SECP256K1())
    await check(
        shop, NOT_ACCEPTED, {"ES256K": jwt.encode(claims(shop), other_curve, "ES256K", headers={"kid": "ES256"})}
    )


async def test_key_whose_curve_does_not_match_its_algorithm_is_not_used(shop: Shop) -> None:
    assert await names_over_both(shop, shop.token("alice")) == ("alice", "alice")
    refusal = await send_over_both(shop, signed_by("ES384", claims(shop), kid="crossed"))
    assert refusal.status in (401, 503)


async def test_psychic_and_malformed_signatures_are_refused(shop: Shop) -> None:
    numbers = (0, 1, P256_ORDER)
    raw = {f"r {r}, s {s}": r.to_bytes(32, "big") + s.to_bytes(32, "big") for r in numbers for s in numbers}
    raw |= {"none": b"", "DER": bytes.fromhex("3006020100020100"), "half": bytes(32), "zeros": bytes(96)}
    header = {"alg": "ES256", "kid": "ES256", "typ": "JWT"}
    await check(shop, FORGED, {name: forged(header, claims(shop), signature) for name, signature in raw.items()})
    edwards = {
        name: forged({"alg": "EdDSA", "kid": "EdDSA"}, claims(shop), bytes(size))
        for name, size in {"none": 0, "zeros": 64, "short": 63}.items()
    }
    await check(shop, FORGED, edwards)


async def test_token_signed_with_an_unpublished_key_is_refused(shop: Shop) -> None:
    curve, edwards = ec.generate_private_key(ec.SECP256R1()), Ed25519PrivateKey.generate()
    attacks = {
        "RS256": by_thief(claims(shop)),
        "ES256": jwt.encode(claims(shop), curve, "ES256", headers={"kid": "ES256"}),
        "EdDSA": jwt.encode(claims(shop), edwards, "EdDSA", headers={"kid": "EdDSA"}),
    }
    await check(shop, FORGED, attacks)


async def test_refusal_of_another_kind_of_token_names_the_kind(shop: Shop) -> None:
    secret, internal = b"s" * 64, {"kid": "internal"}
    refresh = claims(shop, typ="Refresh", aud=shop.issuer.issuer)
    events: dict[str, object] = {"http://schemas.openid.net/event/backchannel-logout": {}}
    attacks = {
        "is an ID token (typ ID)": signed(claims(shop, typ="ID", aud="onsale-web", nonce="n")),
        "is an ID token (typ ID);": signed(claims(shop, typ="ID", nonce="n")),
        "is a refresh token (typ Refresh, signed with HS512)": jwt.encode(refresh, secret, "HS512", headers=internal),
        "is a refresh token (typ Offline, signed with HS256)": jwt.encode(
            claims(shop, typ="Offline"), secret, "HS256", headers=internal
        ),
        "is a refresh token (typ Refresh);": signed(claims(shop, typ="Refresh")),
        "is a logout token or another security event": signed(
            claims(shop, typ="Logout", aud="onsale-web", events=events)
        ),
        "has the wrong typ header, logout+jwt": signed(claims(shop), typ="logout+jwt"),
        "is a DPoP proof (typ dpop+jwt)": signed(claims(shop), typ="dpop+jwt"),
        "is bound to a key (DPoP)": signed(claims(shop, typ="DPoP", cnf={"jkt": "x"})),
        "has the wrong typ header, onsale-pass+jwt": queue_pass(),
        "is meant for account, not for onsale-api": signed(claims(shop, aud="account")),
    }
    for reason, token in attacks.items():
        await check(shop, reason, {reason: token})


async def test_issuer_is_compared_exactly(shop: Shop) -> None:
    issuer = shop.issuer.issuer
    others = (f"{issuer}/", issuer.upper(), issuer.replace("127.0.0.1", "localhost"), [issuer], {"iss": issuer}, "")
    attacks = {repr(other): signed_any({**claims(shop), "iss": other}) for other in others}
    await check(shop, f"sign in at {issuer}", attacks)


async def test_huge_and_deeply_nested_tokens_are_refused(shop: Shop) -> None:
    header = {"alg": "RS256", "kid": "k1"}
    await check(shop, MALFORMED, {"deep header": forged(DEEP, {}), "number": forged('{"alg":' + "9" * 5_000 + "}", {})})
    await check(shop, FORGED, {"deep payload": forged(header, DEEP)})
    await check(shop, NOT_ACCEPTED, {"deep payload, HS512": forged({"alg": "HS512"}, '{"typ":' + DEEP)})
    await check(shop, "and the limit is 16,384", {"long header": forged({**header, "x": "y" * MAX_TOKEN_BYTES}, {})})


async def test_token_is_accepted_in_exactly_one_form(shop: Shop) -> None:
    token = signed(claims(shop))
    attacks = {"dot": f"{token}.", "padding": f"{token}==", "comma": token.replace(".", ","), "plus": f"+{token[1:]}"}
    await check(shop, MALFORMED, attacks)


async def test_largest_token_signs_in_over_both_transports(shop: Shop) -> None:
    empty = len(signed(claims(shop, groups="")))
    token = signed(claims(shop, groups="g" * ((MAX_TOKEN_BYTES - empty) * 3 // 4)))
    assert MAX_TOKEN_BYTES - 4 < len(token) <= MAX_TOKEN_BYTES
    assert await names_over_both(shop, token) == ("alice", "alice")


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
async def test_elliptic_curve_tokens_sign_in_over_both_transports(shop: Shop, algorithm: str) -> None:
    assert await names_over_both(shop, signed_by(algorithm, claims(shop))) == ("alice", "alice")


def signed_any(payload: Mapping[str, object]) -> str:
    """Sign claims that PyJWT would refuse to sign."""
    return by_issuer(json.dumps(payload))


def queue_pass() -> str:
    now = datetime.now(UTC)
    expires_at = now + timedelta(minutes=5)
    pass_claims = PassClaims(ConcertId("c"), PersonId("alice"), EntryId(1), now, expires_at)
    return PassSigner(Ed25519PrivateKey.generate()).sign(pass_claims)
