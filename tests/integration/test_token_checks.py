"""Each token check is counted once, with a result from a fixed set."""

import pytest

from auth.token_refusals import TokenResult
from auth.tokens import MAX_TOKEN_BYTES, TokenVerifier
from domain.errors import TemporarilyUnavailable, Unauthenticated
from settings import OidcSettings
from telemetry.metrics import token_checks
from tests.support.issuers import KeyServer, make_verifier
from tests.support.tokens import access_claims, signed


def counts() -> dict[str, int]:
    return {result: count for (result,), count in token_checks.values.items()}


async def result_of(verifier: TokenVerifier, token: str) -> tuple[list[str], str]:
    """Return the results that were counted, and the refusal message."""
    before, message = counts(), ""
    try:
        await verifier.verify(token)
    except (Unauthenticated, TemporarilyUnavailable) as error:
        message = str(error)
    after = counts()
    assert sum(after.values()) == sum(before.values()) + 1
    return [name for name in after if after[name] != before[name]], message


def test_metric_has_exactly_one_label_for_each_result() -> None:
    assert set(counts()) == set(TokenResult)


async def test_each_check_is_counted_with_its_result(key_server: KeyServer) -> None:
    verifier = make_verifier(key_server.issuer, authorized_parties=("onsale-web",), cooldown_s=600)
    claims = access_claims(key_server.issuer)
    good, issued_s = signed(claims), claims["iat"]
    assert isinstance(issued_s, int)
    sent = [
        ("accepted", good),
        ("accepted_from_cache", good),
        ("malformed", "x"),
        ("too_long", "x" * (MAX_TOKEN_BYTES + 1)),
        ("wrong_algorithm", "eyJhbGciOiJub25lIn0.e30."),
        ("wrong_type", signed(claims, typ="logout+jwt")),
        ("wrong_type", signed(claims | {"typ": "ID"})),
        ("unknown_key", signed(claims, "k1", kid="k2")),
        ("unknown_key", signed(claims, "k1", kid="k3")),
        ("unknown_key", signed(claims, "k1", kid="k4")),
        ("unavailable", signed(claims, "k1", kid="k5")),
        ("bad_signature", signed(claims, "thief", kid="k1")),
        ("expired", signed(claims | {"exp": issued_s - 60})),
        ("not_yet_valid", signed(claims | {"nbf": issued_s + 3_600})),
        ("missing_claim", signed(claims | {"sub": None})),
        ("malformed_claim", signed(claims | {"aud": 7})),
        ("wrong_issuer", signed(claims | {"iss": "https://other.example"})),
        ("wrong_audience", signed(claims | {"aud": "account"})),
        ("wrong_client", signed(claims | {"azp": "other"})),
    ]
    for expected, token in sent:
        assert (await result_of(verifier, token))[0] == [expected]
    assert {expected for expected, _ in sent} == set(TokenResult)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"azp": "robot"}, "was issued to client robot, which ONSALE_OIDC_AUTHORIZED_PARTIES does not list"),
        ({"azp": None}, "was issued to no client (azp), which ONSALE_OIDC_AUTHORIZED_PARTIES does not list"),
        (
            {"aud": ["account", "broker"], "azp": "onsale-web"},
            "is meant for account, broker, not for onsale-api or tickets-api; in Keycloak, add an audience mapper: "
            "Clients, client onsale-web, Client scopes, its dedicated scope, Add mapper, Audience, with onsale-api "
            "as custom audience",
        ),
    ],
)
async def test_token_for_another_client_or_audience_is_refused(
    key_server: KeyServer, changes: dict[str, object], message: str
) -> None:
    verifier = make_verifier(
        key_server.issuer, authorized_parties=("onsale-web",), audience=("onsale-api", "tickets-api")
    )
    refusal = (await result_of(verifier, signed(access_claims(key_server.issuer, **changes))))[1]
    assert refusal.startswith(f"The access token {message}")
    accepted = signed(access_claims(key_server.issuer, aud="tickets-api"))
    assert await result_of(verifier, accepted) == (["accepted"], "")


@pytest.mark.parametrize("claim", ["iat", "nbf"])
async def test_refusal_states_how_far_apart_the_clocks_are(key_server: KeyServer, claim: str) -> None:
    claims = access_claims(key_server.issuer)
    now_s = claims["iat"]
    assert isinstance(now_s, int)
    message = (await result_of(make_verifier(key_server.issuer), signed(claims | {claim: now_s + 86_400})))[1]
    assert "86,4" in message or "86,3" in message
    if claim == "iat":
        assert "the issuer's clock is ahead, or this server's clock is behind" in message
    else:
        assert "is not valid until " in message


async def test_refusal_states_how_long_ago_a_token_expired(key_server: KeyServer) -> None:
    verifier = make_verifier(key_server.issuer)
    claims = access_claims(key_server.issuer)
    issued_s = claims["iat"]
    assert isinstance(issued_s, int)
    message = (await result_of(verifier, signed(claims | {"exp": issued_s - 86_400 * 2})))[1]
    assert message.startswith("The access token expired 172,8")
    assert message.endswith("if it is new, this server's clock is ahead of the issuer's.")


async def test_default_settings_accept_any_client(key_server: KeyServer) -> None:
    assert OidcSettings().authorized_parties == ()
    token = signed(access_claims(key_server.issuer, azp="robot"))
    assert await result_of(make_verifier(key_server.issuer), token) == (["accepted"], "")
