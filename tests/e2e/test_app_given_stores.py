"""The application on stores it was given: it says which one is away, and heals without a restart; production too."""

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

UVICORN = ("-m", "uvicorn", "app:app", "--no-access-log", "--ws", "subscriptions.sockets.ws_protocol:SocketProtocol")


@pytest_asyncio.fixture
async def application(
    tmp_path: Path, own_valkey: ServerProcess, own_mongod: ServerProcess
) -> AsyncIterator[Application]:
    made = Application(tmp_path / "onsale", REDIS_URL=own_valkey.url, MONGO_URL=own_mongod.url)
    async with started(made):
        yield made


async def _readiness(application: Application) -> tuple[int, str]:
    answer = await application.get("/readyz")
    return answer.status_code, " ".join(answer.json().get("problems", []))


@pytest.mark.parametrize(("fixture", "named"), [("own_valkey", "stock store"), ("own_mongod", "order database")])
async def test_a_store_that_is_away_is_named_and_missed_no_longer_than_it_is_away(
    application: Application, fixture: str, named: str, own_valkey: ServerProcess, own_mongod: ServerProcess
) -> None:
    store = {"own_valkey": own_valkey, "own_mongod": own_mongod}[fixture]
    await store.stop()
    await wait_until(lambda: _is_unready(application), what="503")
    assert named in (await _readiness(application))[1]
    assert (await application.get("/livez")).status_code == 200
    await store.start()
    await application.ready()


async def _is_unready(application: Application) -> bool:
    return (await _readiness(application))[0] == 503


async def test_it_starts_without_its_stores_and_heals(
    tmp_path: Path, own_valkey: ServerProcess, own_mongod: ServerProcess
) -> None:
    await own_valkey.stop()
    await own_mongod.stop()
    application = Application(tmp_path / "onsale", REDIS_URL=own_valkey.url, MONGO_URL=own_mongod.url)
    await application.start()
    try:
        await wait_until(lambda: "Onsale serves" in application.output, timeout=30, what="the banner")
        status, problems = await _readiness(application)
        assert status == 503
        assert "stock store" in problems
        assert "order database" in problems
        await own_valkey.start()
        await own_mongod.start()
        await application.ready()
    finally:
        await application.end()


async def test_production_without_its_settings_names_them_all_and_starts_nothing(tmp_path: Path) -> None:
    application = Application(tmp_path / "onsale", ENV="production")
    await application.start()
    assert await application.ended() == 1
    for name in ("ONSALE_REDIS_URL", "ONSALE_MONGO_URL", "ONSALE_OIDC_ISSUER", "ONSALE_PASS_KEY_FILE"):
        assert f"{name} is missing" in application.output
    assert "Traceback" not in application.output
    assert not application.data_dir.exists()


async def test_production_has_no_development_issuer(
    tmp_path: Path, own_valkey: ServerProcess, own_mongod: ServerProcess
) -> None:
    signer = signer_from_file(tmp_path / "pass.pem")
    settings = {
        "REDIS_URL": own_valkey.url,
        "MONGO_URL": own_mongod.url,
        "OIDC_ISSUER": "https://id.example/realms/x",
        "PASS_KEY_FILE": str(tmp_path / "pass.pem"),
    }
    async with started(Application(tmp_path / "onsale", ENV="production", **settings)) as application:
        discovery = await application.get("/realms/onsale/.well-known/openid-configuration")
        assert discovery.status_code == 404
        assert (await application.get("/.well-known/jwks.json")).json() == signer.jwks
        assert "Password" not in application.output
        assert not application.data_dir.exists()


async def test_uvicorn_serves_it_without_the_supervisor(
    tmp_path: Path, own_valkey: ServerProcess, own_mongod: ServerProcess
) -> None:
    application = Application(tmp_path / "onsale", REDIS_URL=own_valkey.url, MONGO_URL=own_mongod.url)
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


async def test_uvicorn_without_store_urls_says_what_is_missing(tmp_path: Path) -> None:
    application = Application(tmp_path / "onsale", command=UVICORN)
    await application.start()
    assert await application.ended() != 0
    assert "ONSALE_REDIS_URL and ONSALE_MONGO_URL are required" in application.output


async def test_an_import_reads_no_environment(tmp_path: Path) -> None:
    application = Application(tmp_path / "onsale", command=("-c", "import app"), ENV="nonsense")
    await application.start()
    assert await application.ended() == 0
    assert not application.data_dir.exists()
