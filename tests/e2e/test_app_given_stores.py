"""With external stores, the application names those that are down and recovers by itself."""

import base64
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from auth.passes import signer_from_file
from storage.embedded.process import ServerProcess
from tests.support.application import Application, started
from tests.support.sockets import PROTOCOL, Client
from tests.support.waiting import wait_until
from tickets.keys import own_master

pytestmark = pytest.mark.asyncio(loop_scope="module")

UVICORN = ("-m", "uvicorn", "app:app", "--no-access-log", "--ws", "subscriptions.sockets.ws_protocol:SocketProtocol")


@pytest.fixture
def given_stores(valkey_url: str, mongo_url: str, mongo_database: str) -> dict[str, str]:
    """Return settings for the stores that all tests share, with a database for this test only."""
    return {"REDIS_URL": valkey_url, "MONGO_URL": mongo_url, "MONGO_DATABASE": mongo_database}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def application(
    tmp_path_factory: pytest.TempPathFactory, module_valkey: ServerProcess, module_mongod: ServerProcess
) -> AsyncIterator[Application]:
    """An application that was started while its stores were unavailable."""
    await module_valkey.stop()
    await module_mongod.stop()
    stores = {"REDIS_URL": module_valkey.url, "MONGO_URL": module_mongod.url}
    made = Application(tmp_path_factory.mktemp("application") / "onsale", **stores)
    await made.start()
    yield made
    await made.end()


async def test_application_starts_without_stores_and_recovers(
    application: Application, stoppable_valkey: ServerProcess, stoppable_mongod: ServerProcess
) -> None:
    stores = {"Redis at": stoppable_valkey, "MongoDB at": stoppable_mongod}
    await wait_until(lambda: "Onsale is running" in application.output, timeout=60, what="the banner")
    status, problems = await _readiness(application)
    assert (status, [name for name in stores if name in problems]) == (503, list(stores))
    for store in stores.values():
        await store.start()
    await application.ready()

    for name, store in stores.items():
        await store.stop()
        await wait_until(lambda: _is_unready(application), what="503")
        assert [name for name in stores if name in (await _readiness(application))[1]] == [name]
        assert (await application.get("/livez")).status_code == 200
        await store.start()
        await application.ready()


async def _readiness(application: Application) -> tuple[int, str]:
    answer = await application.get("/readyz")
    return answer.status_code, " ".join(answer.json().get("problems", []))


async def _is_unready(application: Application) -> bool:
    return (await _readiness(application))[0] == 503


async def test_production_server_names_missing_settings_and_starts_nothing(tmp_path: Path) -> None:
    application = Application(tmp_path / "onsale", ENV="production")
    await application.start()
    assert await application.ended() == 1
    for name in ("ONSALE_REDIS_URL", "ONSALE_MONGO_URL", "ONSALE_PUBLIC_URL", "ONSALE_OIDC_ISSUER"):
        assert f"{name} is missing" in application.output
    assert "Traceback" not in application.output
    assert not application.data_dir.exists()


async def test_production_has_no_development_issuer(tmp_path: Path, given_stores: dict[str, str]) -> None:
    signer = signer_from_file(tmp_path / "pass.pem")
    own_master(tmp_path / "ticket-key")
    settings = given_stores | {
        "OIDC_ISSUER": "https://id.example/realms/x",
        "PUBLIC_URL": "https://tickets.example",
        "PASS_KEY_FILE": str(tmp_path / "pass.pem"),
        "SESSION_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
        "TICKET_KEY_FILES": str(tmp_path / "ticket-key"),
        "PAYMENT_PROVIDER": "stripe",
        "PAYMENT_SECRET_KEY": "sk_live_kW9sQpT2xRz7LmB4",
        "PAYMENT_PUBLISHABLE_KEY": "pk_live_kW9sQpT2xRz7LmB4",
        "PAYMENT_WEBHOOK_SECRETS": "whsec_kW9sQpT2xRz7LmB4vYc8NfJ1",
        "MAIL_HOST": "127.0.0.1",
        "MAIL_SENDER": "Onsale <tickets@onsale.example>",
    }
    application = Application(tmp_path / "onsale", ENV="production", **settings)
    await application.start()
    await wait_until(lambda: "Onsale is running" in application.output, timeout=60, what="the banner")
    discovery = await application.get("/realms/onsale/.well-known/openid-configuration")
    assert discovery.status_code == 404
    assert (await application.get("/dev/mailbox")).status_code == 404
    assert (await application.get("/.well-known/jwks.json")).json() == signer.jwks
    await wait_until(lambda: "the signing keys failed" in application.output, what="the line about the issuer")
    status, problems = await _readiness(application)
    assert (status, application.output.count("fetching the signing keys")) == (503, 1)
    assert "the issuer https://id.example/realms/x does not answer at https://id.example/realms/x/.well-" in problems
    assert "Password" not in application.output
    assert not application.data_dir.exists()
    assert await application.end() == 0


async def test_uvicorn_serves_the_application_without_the_supervisor(
    tmp_path: Path, given_stores: dict[str, str]
) -> None:
    application = Application(tmp_path / "onsale", **given_stores)
    application.command = (*UVICORN, "--port", str(application.port))
    async with started(application):
        discovery = await application.get("/realms/onsale/.well-known/openid-configuration")
        assert discovery.json()["issuer"] == f"http://localhost:{application.port}/realms/onsale"
        url = application.url.replace("http", "ws", 1) + "/graphql"
        async with connect(url, subprotocols=[Subprotocol(PROTOCOL)]) as connection:
            client = Client(connection)
            await client.sign_in()
            assert connection.protocol.extensions == []
            await application.end()
            assert await client.closed() == (1012, "This server is restarting; reconnect")


async def test_uvicorn_without_store_urls_names_the_missing_settings(tmp_path: Path) -> None:
    application = Application(tmp_path / "onsale", command=UVICORN)
    await application.start()
    assert await application.ended() != 0
    assert "ONSALE_REDIS_URL and ONSALE_MONGO_URL are required" in application.output


async def test_importing_app_does_not_read_the_environment(tmp_path: Path) -> None:
    application = Application(tmp_path / "onsale", command=("-c", "import app"), ENV="nonsense")
    await application.start()
    assert await application.ended() == 0
    assert not application.data_dir.exists()
