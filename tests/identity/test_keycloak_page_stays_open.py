"""Pages in Chromium stay signed in for four minutes, and the token requests are counted."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.keycloak.admin import KeycloakAdmin
from storage.embedded.process import ServerProcess
from tests.support.application import ROOT, Application, started
from tests.support.keycloak_site import IssuerProxy, issuer_proxy, own_client, settings_of
from tests.support.node import installed, output_of
from tests.support.oidc_client import Issuer
from tests.support.page_stories import build_pages

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(1_200),
]

BROWSER = ROOT / "tests" / "e2e" / "browser"
OPEN_S = 240
RECHECK_S = 60


@dataclass(frozen=True, slots=True)
class OpenPage:
    """A page that one person keeps open, and the lifespan of its access tokens."""

    name: str
    lifespan_s: int
    fewest: int
    most: int
    """The bounds on the number of renewals.

    A customer's token is renewed in the last third of its lifetime, an organizer's after each third
    of the recheck interval.
    """

    @property
    def client_id(self) -> str:
        return f"test-page-{self.name}-{self.lifespan_s}"


PAGES = (
    OpenPage("carol", 60, OPEN_S // 60 - 1, OPEN_S // 40 + 1),
    OpenPage("bob", 300, 0, 1),
    OpenPage("olivia", 300, OPEN_S // RECHECK_S, OPEN_S * 3 // RECHECK_S + 1),
)


async def test_pages_stay_open_for_four_minutes_with_few_token_requests(
    keycloak_issuer: Issuer,
    admin: KeycloakAdmin,
    shared_valkey: ServerProcess,
    shared_mongod: ServerProcess,
    tmp_path: Path,
) -> None:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("chromium is missing, so no page was kept open: install chromium")
    directory = await installed(BROWSER, for_what="no page was kept open at Keycloak")
    await build_pages()

    @asynccontextmanager
    async def onsale_for(page: OpenPage) -> AsyncIterator[tuple[OpenPage, Application, IssuerProxy]]:
        async with issuer_proxy(keycloak_issuer.url) as proxy:
            application = Application(
                tmp_path / page.client_id,
                **settings_of(page.client_id, keycloak_issuer.url),
                OIDC_INTERNAL_URL=proxy.url,
                OIDC_RECHECK_S=RECHECK_S,
                REDIS_URL=shared_valkey.url,
                MONGO_URL=shared_mongod.url,
                MONGO_DATABASE="identity_open_pages",
                DEMO="yes",
            )
            lifespan = {"access.token.lifespan": str(page.lifespan_s)}
            with own_client(admin, page.client_id, port=application.port, **lifespan):
                async with started(application):
                    yield page, application, proxy

    async def keep_open(page: OpenPage, application: Application, proxy: IssuerProxy) -> None:
        url = f"http://localhost:{application.port}"
        command = ("node", "keycloak-open.mjs", url, chromium, page.name, str(tmp_path), str(OPEN_S))
        seen: dict[str, Any] = json.loads(await output_of(*command, directory=directory))
        renewals = proxy.count("token refresh_token")
        print(f"{page.client_id}: {renewals} renewals, {seen['answers']} answers in {OPEN_S} s")  # noqa: T201
        assert page.fewest <= renewals <= page.most
        assert proxy.count("token authorization_code") == 1
        # The page requests no token itself and goes to the login page once.
        assert seen["asked"] == {"tokens": 0, "logins": 1}
        assert seen["closedSockets"] == 0
        assert seen["stillSignedIn"] == seen["signedIn"]
        assert seen["signedIn"].startswith(f"Signed in as {page.name}, ")
        assert seen["foreignRequests"] == []
        assert seen["errors"] == []

    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(onsale_for(page)) for page in PAGES]
        await asyncio.gather(*(keep_open(*one) for one in opened))
