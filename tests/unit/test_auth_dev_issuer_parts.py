"""Parts of the development issuer: demo users, codes, startup checks and parameters."""

import contextlib
from pathlib import Path
from urllib.parse import urlencode

import pytest
from authlib.oauth2.rfc6749 import InvalidRequestError
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from auth.dev_issuer import issuer_routes
from auth.dev_issuer.demo_users import DemoUser, authenticate, find_demo_user
from auth.dev_issuer.logins import Code, Login, Logins, new_login
from auth.dev_issuer.parameters import parse_parameters
from auth.viewer import Role
from settings import SettingsError

ALICE = DemoUser("alice", (Role.CUSTOMER,))


@pytest.mark.parametrize(
    ("username", "roles"),
    [
        ("alice", (Role.CUSTOMER,)),
        ("bob", (Role.CUSTOMER,)),
        ("carol", (Role.CUSTOMER,)),
        ("buyer1", (Role.CUSTOMER,)),
        ("buyer2000", (Role.CUSTOMER,)),
        ("olivia", (Role.ORGANIZER, Role.CUSTOMER)),
        ("gus", (Role.GATE,)),
        ("admin", (Role.ADMIN,)),
    ],
)
def test_demo_users_sign_in_with_their_name_as_the_password(username: str, roles: tuple[Role, ...]) -> None:
    assert authenticate(username, username) == DemoUser(username, roles)
    assert authenticate(username, username + "!") is None


@pytest.mark.parametrize(
    "username", ["", "mallory", "Alice", "alice ", "buyer", "buyerx", "buyer1x", "buyer²", "buyer٣"]
)
def test_other_names_are_not_demo_users(username: str) -> None:
    assert find_demo_user(username) is None
    assert authenticate(username, username) is None


def test_subject_never_changes() -> None:
    """Orders belong to a subject. If the subject changed, the user would lose all orders."""
    assert ALICE.subject == "bb6a5dcf-f276-533f-bca8-8986c27853df"


def test_subjects_are_unique() -> None:
    assert len({DemoUser(f"buyer{number}", (Role.CUSTOMER,)).subject for number in range(1_000)}) == 1_000


@pytest.mark.parametrize("nonce", ["n0nce", 'quote"é', None])
def test_code_is_decoded_as_it_was_encoded(nonce: str | None) -> None:
    login = Login(ALICE, "onsale-web", "session", 1_700_000_000, nonce)
    code = Code("http://localhost:5173/", "openid", "challenge", "S256", login)
    assert Code.decode(code.encode()) == code


def test_code_of_a_removed_demo_user_is_unknown() -> None:
    login = new_login(DemoUser("removed", (Role.CUSTOMER,)), "onsale-web")
    assert Code.decode(Code("http://localhost:5173/", "openid", "challenge", "S256", login).encode()) is None


@pytest.mark.parametrize(
    ("issuer_url", "env", "message"),
    [
        ("http://localhost:8000/realms/onsale", "production", "set ONSALE_OIDC_ISSUER in production"),
        ("http://shop.example/realms/onsale", "development", "serves only this machine"),
        ("http://0.0.0.0:8000/realms/onsale", "development", "serves only this machine"),
    ],
)
def test_issuer_runs_only_in_development_on_this_machine(
    tmp_path: Path, issuer_url: str, env: str, message: str
) -> None:
    def unused(_: Request) -> Logins:
        raise AssertionError

    with pytest.raises(SettingsError, match=message):
        issuer_routes(issuer_url, unused, audience="onsale-api", client_id="onsale-web", data_dir=tmp_path, env=env)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"grant_type=password&grant_type=password", "more than once"),
        (b"&".join(b"a%d=1" % number for number in range(40)), "at most 32 fields"),
        (b"state=%ff", "must be application/x-www-form-urlencoded in UTF-8"),
        ("state=é".encode(), "must be application/x-www-form-urlencoded in UTF-8"),
        (b"grant_type=%22", "grant_type contains characters"),
        (b"redirect_uri=http://localhost:1/%C3%A9", "redirect_uri contains characters"),
    ],
)
def test_parameters_that_violate_the_protocol_are_refused(raw: bytes, message: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_parameters(raw)
    assert message in caught.value.description


def test_empty_parameter_counts_as_absent() -> None:
    assert parse_parameters(b"state=&scope=openid") == {"scope": "openid"}


@given(raw=st.binary(max_size=200))
def test_parsing_any_bytes_succeeds_or_raises_an_oauth_error(raw: bytes) -> None:
    with contextlib.suppress(InvalidRequestError):
        parse_parameters(raw)


TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


@given(state=TEXT, nonce=TEXT)
def test_parameters_are_parsed_as_they_were_sent(state: str, nonce: str) -> None:
    sent = {"state": state, "nonce": nonce}
    assert parse_parameters(urlencode(sent).encode()) == sent
