"""Keycloak clients that tests may change, a person's browser, and a proxy for Keycloak."""

import copy
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import parse_qsl, urljoin

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from websockets.asyncio.client import connect
from websockets.typing import Origin, Subprotocol

from auth.revocation.backchannel_logout import PATH as LOGOUT_PATH
from deploy.keycloak.admin import KeycloakAdmin
from tests.support.oidc_client import SignInForm
from tests.support.serving import serving
from tests.support.sockets import PROTOCOL, Client

SECRET = "a-secret-of-this-test"
TIMEOUT_S = 60.0
COOKIE = "onsale-session"
_FORWARDED = ("accept", "authorization", "content-type")


@contextmanager
def own_client(
    admin: KeycloakAdmin, client_id: str, *, port: int | None, **attributes: str
) -> Iterator[dict[str, Any]]:
    """Copy the confidential client, for use by the Onsale server on this port, and yield the copy.

    The original, `onsale-server`, stays unchanged for the other tests.
    """
    [server] = admin.get("clients", clientId="onsale-server")
    made = copy.deepcopy(server)
    origin = f"http://localhost:{port}"
    del made["id"]
    made |= {
        "clientId": client_id,
        "secret": SECRET,
        "directAccessGrantsEnabled": True,
        "redirectUris": [f"{origin}/login/callback"],
        "webOrigins": [origin],
    }
    made["attributes"] |= {
        "post.logout.redirect.uris": f"{origin}/*",
        "backchannel.logout.url": f"{origin}{LOGOUT_PATH}",
        **attributes,
    }
    for mapper in made["protocolMappers"]:
        del mapper["id"]
        if "included.client.audience" in mapper["config"]:
            mapper["config"]["included.client.audience"] = client_id
    admin.post("clients", made)
    [stored] = admin.get("clients", clientId=client_id)
    try:
        yield stored
    finally:
        admin.delete(f"clients/{stored['id']}")


def settings_of(client_id: str, issuer: str) -> dict[str, Any]:
    return {"OIDC_ISSUER": issuer, "OIDC_CLIENT_ID": client_id, "OIDC_CLIENT_SECRET": SECRET}


class PersonsBrowser:
    """A browser on the pages of `origin`, with cookies from Onsale and Keycloak."""

    def __init__(self, origin: str, http: httpx2.AsyncClient) -> None:
        self.origin = origin
        self.http = http

    @property
    def session_cookie(self) -> str | None:
        return self.http.cookies.get(COOKIE)

    async def open_login(self) -> httpx2.Response:
        """Go to Keycloak. Return its login page, or its redirect if the person is signed in."""
        begun = await self.http.get(f"{self.origin}/login")
        assert begun.status_code == 302, begun.text
        return await self.http.get(begun.headers["location"])

    async def sign_in(self, name: str) -> None:
        page = await self.open_login()
        form = SignInForm(page.text)
        fields = {**form.fields, "username": name, "password": name}
        answer = await self.http.post(urljoin(str(page.url), form.action), data=fields)
        assert answer.status_code == 302, answer.text
        signed_in = await self.http.get(answer.headers["location"])
        assert (signed_in.status_code, signed_in.headers.get("location")) == (303, f"{self.origin}/graphql"), (
            signed_in.text
        )
        assert self.session_cookie is not None

    async def sign_out(self) -> httpx2.Response:
        """Sign out of Onsale and of Keycloak, and return Keycloak's answer."""
        headers = {"Origin": self.origin, "Accept": "application/json"}
        answer = await self.http.post(f"{self.origin}/logout", headers=headers)
        assert answer.status_code == 200, answer.text
        return await self.http.get(answer.json()["location"])

    async def ask(self, document: str, *, at: str | None = None) -> httpx2.Response:
        """Send a request as a page on this site does, or as a page on the process at `at` does."""
        site = at or self.origin
        return await self.http.post(f"{site}/graphql", json={"query": document}, headers={"Origin": site})

    @asynccontextmanager
    async def socket(self, *, at: str | None = None) -> AsyncIterator[Client]:
        site, headers = at or self.origin, {"Cookie": f"{COOKIE}={self.session_cookie}"}
        async with connect(
            _socket_address(site),
            origin=Origin(site),
            additional_headers=headers,
            subprotocols=[Subprotocol(PROTOCOL)],
            ping_interval=None,
        ) as connection:
            client = Client(connection)
            await client.sign_in()
            yield client


@asynccontextmanager
async def persons_browser(origin: str) -> AsyncIterator[PersonsBrowser]:
    # As in a browser, secure cookies are also sent to this machine over plain http.
    jar = CookieJar(DefaultCookiePolicy(secure_protocols=("http", "https")))
    async with httpx2.AsyncClient(cookies=jar, trust_env=False, timeout=TIMEOUT_S) as http:
        yield PersonsBrowser(origin, http)


@asynccontextmanager
async def token_socket(address: str, token: str) -> AsyncIterator[Client]:
    async with connect(
        _socket_address(address), subprotocols=[Subprotocol(PROTOCOL)], ping_interval=None
    ) as connection:
        client = Client(connection)
        await client.sign_in(token)
        yield client


@dataclass
class IssuerProxy:
    """An internal address for Keycloak that records the requests Onsale sends to it."""

    issuer: str
    """The public address of the realm."""
    url: str = ""
    """The internal address of the realm."""
    requests: list[str] = field(default_factory=list)
    """The last part of each path, with the grant type if any, as in `token refresh_token`."""

    def count(self, request: str) -> int:
        return self.requests.count(request)


@asynccontextmanager
async def issuer_proxy(issuer: str) -> AsyncIterator[IssuerProxy]:
    proxy = IssuerProxy(issuer)
    async with httpx2.AsyncClient(trust_env=False, timeout=TIMEOUT_S) as http:

        async def forward(request: Request) -> Response:
            body = await request.body()
            grant = dict(parse_qsl(body.decode())).get("grant_type", "")
            proxy.requests.append(f"{request.url.path.rpartition('/')[2]} {grant}".rstrip())
            headers = {name: value for name in _FORWARDED if (value := request.headers.get(name))}
            target = f"{issuer}/{request.path_params['path']}"
            answer = await http.request(request.method, target, content=body, headers=headers)
            return Response(answer.content, answer.status_code, {"content-type": answer.headers["content-type"]})

        route = Route("/internal/{path:path}", forward, methods=["GET", "POST"])
        async with serving(lambda _: Starlette(routes=[route])) as base:
            proxy.url = f"{base}/internal"
            yield proxy


def _socket_address(address: str) -> str:
    return address.replace("http", "ws", 1) + "/graphql"
