"""A client for any issuer with Keycloak's paths. It can also fill in the issuer's sign-in form."""

from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx2
import jwt

from tests.support.issuer_client import SERVER_CLIENT, VERIFIER, challenge

REDIRECT_URI = "http://localhost:8000/login/callback"
AFTER_LOGOUT = "http://localhost:8000/graphql"
SERVER_CREDENTIALS = (SERVER_CLIENT.client_id, SERVER_CLIENT.secret or "")


@dataclass(frozen=True, slots=True)
class OidcClient:
    """One client of an issuer. Without a secret, it is a public client.

    Keyword arguments change parameters of a valid request, or remove them if the value is None.
    """

    issuer: str
    http: httpx2.AsyncClient
    client_id: str = "onsale-web"
    secret: str | None = None

    @property
    def protocol(self) -> str:
        return f"{self.issuer}/protocol/openid-connect"

    async def with_password(self, name: str, /, **changes: str | None) -> httpx2.Response:
        form = {"grant_type": "password", "username": name, "password": name, "scope": "openid"}
        return await self._token(form, changes)

    async def authorize(self, **changes: str | None) -> httpx2.Response:
        request = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECT_URI,
            "scope": "openid",
            "state": "s<t&a'te",
            "nonce": "n0nce",
            "code_challenge": challenge(VERIFIER),
            "code_challenge_method": "S256",
        }
        return await self.http.get(f"{self.protocol}/auth", params=_changed(request, changes))

    async def sign_in(self, name: str, /, *, password: str | None = None) -> httpx2.Response:
        """Open the sign-in page, fill in its form and return the answer."""
        page = await self.authorize()
        assert page.status_code == 200, page.text
        form = SignInForm(page.text)
        fields = {**form.fields, "username": name, "password": password or name}
        # Keycloak's cookies are Secure. A browser sends them to loopback; Python's jar does not.
        cookies = "; ".join(cookie.partition(";")[0] for cookie in page.headers.get_list("set-cookie"))
        target = urljoin(str(page.url), form.action)
        return await self.http.post(target, data=fields, headers={"cookie": cookies} if cookies else {})

    async def answer(self, name: str, /) -> dict[str, str]:
        """Return the parameters that the browser brings back from a login."""
        return answer_of(await self.sign_in(name))

    async def redeem(self, code: str, /, **changes: str | None) -> httpx2.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": VERIFIER,
        }
        return await self._token(form, changes)

    async def signed_in(self, name: str, /) -> dict[str, Any]:
        """Return the tokens after a login on the issuer's page."""
        answer = await self.redeem((await self.answer(name))["code"])
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    async def refresh(self, refresh_token: str, /, **changes: str | None) -> httpx2.Response:
        return await self._token({"grant_type": "refresh_token", "refresh_token": refresh_token}, changes)

    async def userinfo(self, access_token: str) -> httpx2.Response:
        return await self.http.get(f"{self.protocol}/userinfo", headers={"authorization": f"Bearer {access_token}"})

    async def introspect(self, token: str, **changes: str | None) -> httpx2.Response:
        return await self._post("token/introspect", {"token": token}, changes)

    async def revoke(self, token: str, **changes: str | None) -> httpx2.Response:
        return await self._post("revoke", {"token": token}, changes)

    async def logout(self, method: str = "GET", **parameters: str) -> httpx2.Response:
        if method == "GET":
            return await self.http.get(f"{self.protocol}/logout", params=parameters)
        return await self.http.post(f"{self.protocol}/logout", data=parameters)

    async def _token(self, form: dict[str, str], changes: Mapping[str, str | None]) -> httpx2.Response:
        return await self._post("token", form, changes)

    async def _post(self, path: str, form: dict[str, str], changes: Mapping[str, str | None]) -> httpx2.Response:
        own = {"client_id": self.client_id} | ({"client_secret": self.secret} if self.secret else {})
        return await self.http.post(f"{self.protocol}/{path}", data=_changed(own | form, changes))


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer with its public and its confidential client."""

    name: str
    url: str
    web: OidcClient
    server: OidcClient
    logout_port: int
    logout_tokens: list[str]
    """The request bodies posted to the confidential client, which listens on `logout_port`."""


def answer_of(response: httpx2.Response) -> dict[str, str]:
    """Return the parameters of a redirect to the client."""
    assert response.status_code in (302, 303), response.text
    location = urlsplit(response.headers["location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == REDIRECT_URI
    return dict(parse_qsl(location.query))


def claims_of(token: str) -> dict[str, Any]:
    """Return the claims without checking the signature."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def error_of(response: httpx2.Response) -> tuple[int, str]:
    assert response.json()["error_description"]
    return response.status_code, response.json()["error"]


class SignInForm(HTMLParser):
    """The form on a page: its address, and its fields with their values."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "form":
            self.action = attributes["action"] or ""
        if tag == "input" and attributes.get("type") != "checkbox" and attributes.get("name"):
            self.fields[str(attributes["name"])] = attributes.get("value") or ""


def _changed(parameters: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in {**parameters, **changes}.items() if value is not None}
