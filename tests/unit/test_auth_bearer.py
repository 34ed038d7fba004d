"""The Authorization value is one bearer token; other schemes are named in the refusal."""

import pytest

from auth.bearer import read_bearer
from domain.errors import Unauthenticated


@pytest.mark.parametrize("value", ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c ", " Bearer a.b.c"])
def test_scheme_is_accepted_in_upper_and_lower_case(value: str) -> None:
    assert read_bearer(value) == "a.b.c"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("DPoP a.b.c", "The authorization scheme DPoP is not supported; in Keycloak, turn off"),
        ("Basic YTpi", "The authorization scheme Basic is not supported; send `Bearer <access token>`."),
        ("", "`Authorization` is malformed; send `Bearer <access token>` once."),
        ("Bearer", "`Authorization` is malformed"),
        ("Bearer  ", "`Authorization` is malformed"),
        ("a.b.c", "`Authorization` is malformed"),
    ],
)
def test_refusal_says_what_to_send_instead(value: str, message: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        read_bearer(value)
    assert str(refused.value).startswith(message)
