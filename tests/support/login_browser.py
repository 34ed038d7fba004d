"""Signs in at the development issuer step by step over real HTTP, as a browser does."""

import html
import re
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx2
from starlette.applications import Starlette

from auth.dev_issuer import issuer_routes
from auth.issuer_http import IssuerHttp
from auth.login import Login, login_routes
from auth.login_limit import LoginLimit
from auth.public_site import Site
from auth.sessions.cipher import SessionCipher
from auth.sessions.oidc_client import OidcClient
from auth.sessions.sessions import Clock, Sessions
from auth.tokens import TokenVerifier
from domain.limits.rates import Rate
from settings import OidcSettings, SessionSettings
from tests.support.issuer_client import CLIENT_ID
from tests.support.issuer_logins import open_logins
from tests.support.issuers import make_verifier
from tests.support.login_sessions import KEY, FakeRevocations, MemoryStore
from tests.support.serving import serving
from tests.support.tokens import AUDIENCE


@dataclass(frozen=True, slots=True)
class FixedCounter:
    """Counts nothing, and always returns the same wait."""

    wait_s: int = 0

    async def count(self, call: str, subject: str, rate: Rate) -> int:
        return self.wait_s


@dataclass
class LoginSite:
    """A site with a login and the development issuer at the same address."""

    base: str = ""
    store: MemoryStore = field(default_factory=MemoryStore)
    revocations: FakeRevocations = field(default_factory=FakeRevocations)
    sessions: Sessions = field(init=False)
    client: OidcClient = field(init=False)
    limit: LoginLimit = field(default_factory=lambda: LoginLimit(FixedCounter(), Rate(1, 1)))
    ahead_s: float = 0.0
    """How far the sessions' clock is ahead."""

    def open(self, issuer: str, verifier: TokenVerifier, *, site: Site | None = None) -> Login:
        self.client = client = OidcClient(OidcSettings(client_id=CLIENT_ID), IssuerHttp(issuer))
        self.sessions = Sessions(
            self.store,
            SessionCipher([KEY]),
            issuer=client,
            verifier=verifier,
            revocations=self.revocations,
            settings=SessionSettings(),
            clock=Clock(now=lambda: time.time() + self.ahead_s),
        )
        site = site or Site(self.base, alias=self.base.replace("127.0.0.1", "localhost"))
        return Login(client, self.sessions, site, self.limit)


class Browser:
    """A browser that shares no cookies with others."""

    def __init__(self, base: str, http: httpx2.AsyncClient) -> None:
        self.base = base
        self.http = http

    async def start_login(self, query: str = "") -> dict[str, str]:
        """Start a login. Return the parameters of the authorization request."""
        response = await self.http.get(f"{self.base}/login{query}")
        assert response.status_code == 302, response.text
        assert response.headers["cache-control"] == "no-store"
        location = urlsplit(response.headers["location"])
        assert f"{location.scheme}://{location.netloc}{location.path}" == (
            f"{self.base}/realms/onsale/protocol/openid-connect/auth"
        )
        return dict(parse_qsl(location.query))

    async def sign_in(self, request: dict[str, str], name: str = "alice") -> str:
        """Sign in at the issuer. Return the URL to which it redirects."""
        form = {**request, "username": name, "password": name}
        response = await self.http.post(f"{self.base}/realms/onsale/protocol/openid-connect/auth", data=form)
        assert response.status_code == 303
        return response.headers["location"]

    async def log_in(self, query: str = "", name: str = "alice") -> httpx2.Response:
        """Go through a whole login. Return the answer to the callback."""
        return await self.http.get(await self.sign_in(await self.start_login(query), name))

    async def log_out(self, **headers: str) -> httpx2.Response:
        return await self.http.post(f"{self.base}/logout", headers={"Origin": self.base, **headers})

    @property
    def session(self) -> str | None:
        return self.http.cookies.get("onsale-session")

    @property
    def logins(self) -> list[str]:
        return [name for name in self.http.cookies if name.startswith("onsale-login-")]


@asynccontextmanager
async def login_site(data_dir: Path, redis_url: str) -> AsyncIterator[LoginSite]:
    """Serve a site with a login, whose issuer keeps its codes at `redis_url`."""
    made = LoginSite()
    logins: list[Login] = []

    def build(base: str) -> Starlette:
        made.base = base
        issuer = f"{base}/realms/onsale"
        routes = issuer_routes(
            issuer,
            lambda _: issuer_logins,
            audience=AUDIENCE,
            client_id=CLIENT_ID,
            data_dir=data_dir,
            env="development",
        )
        return Starlette(routes=[*login_routes(lambda _: logins[0]), *routes])

    async with (
        open_logins(redis_url) as issuer_logins,
        serving(build) as base,
        aclosing(make_verifier(f"{base}/realms/onsale")) as verifier,
    ):
        logins.append(made.open(f"{base}/realms/onsale", verifier))
        yield made
        await made.sessions.aclose()


@asynccontextmanager
async def open_browser(base: str) -> AsyncIterator[Browser]:
    async with httpx2.AsyncClient(trust_env=False) as http:
        yield Browser(base, http)


def reason_of(page: httpx2.Response) -> str:
    found = re.search(r'<p role="alert">(.*?)</p>', page.text)
    assert found is not None, page.text
    return html.unescape(found[1])


async def viewer_name(site: LoginSite, browser: Browser) -> str:
    """Return the name of the person who is signed in."""
    assert browser.session is not None
    return (await site.sessions.viewer_of(browser.session)).name
