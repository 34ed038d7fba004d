"""A person signs in on Keycloak's own page in Chromium."""

import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.keycloak.admin import KeycloakAdmin, serve_onsale_at
from storage.embedded.process import ServerProcess
from tests.support.application import ROOT, Application, started
from tests.support.keycloak import BackgroundKeycloak
from tests.support.node import installed, output_of
from tests.support.page_stories import build_pages

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(1_200),
]

BROWSER = ROOT / "tests" / "e2e" / "browser"
TOKEN = re.compile(r"ey[\w-]+\.ey[\w-]+\.")


@pytest_asyncio.fixture(loop_scope="session")
async def onsale(
    keycloak: BackgroundKeycloak,
    admin: KeycloakAdmin,
    shared_valkey: ServerProcess,
    shared_mongod: ServerProcess,
    tmp_path: Path,
) -> AsyncIterator[Application]:
    """An Onsale server that uses Keycloak, at an address that Keycloak accepts."""
    stores = {"REDIS_URL": shared_valkey.url, "MONGO_URL": shared_mongod.url, "MONGO_DATABASE": "identity_page"}
    application = Application(tmp_path / "data", OIDC_ISSUER=keycloak.issuer, **stores)
    assert application.port is not None
    [before] = admin.get("clients", clientId="onsale-server")
    serve_onsale_at(admin, application.port)
    async with started(application):
        yield application
    admin.put(f"clients/{before['id']}", before)


async def test_person_signs_in_and_out_on_keycloaks_page(onsale: Application, tmp_path: Path) -> None:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("chromium is missing, so Keycloak's page was not tested: install chromium")
    directory = await installed(BROWSER, for_what="Keycloak's page was not tested in a browser")
    await build_pages()
    # Keycloak accepts this machine under the names localhost and 127.0.0.1.
    url = f"http://localhost:{onsale.port}"
    seen = json.loads(
        await output_of("node", "keycloak.mjs", url, chromium, "carol", str(tmp_path), directory=directory)
    )
    assert seen["title"] == "Sign in to Onsale"
    assert seen["refused"] == "Invalid username or password."
    assert seen["signedIn"] == "Signed in as carol, customer"
    assert seen["me"] == "carol"
    assert seen["foreignRequests"] == []
    assert not any(TOKEN.search(address) and "id_token_hint=" not in address for address in seen["addresses"])
