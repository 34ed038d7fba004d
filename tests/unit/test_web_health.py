"""Health checks: a process is live without its stores, and ready only with them."""

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from auth.revocation.revocations import Revocations
from tests.support.revocations import FakeRevocationStore
from web import health


class _Stores:
    def __init__(self, *problems: str, warnings: tuple[str, ...] = ()) -> None:
        self._problems = problems
        self.warnings = list(warnings)

    async def recent_problems(self) -> list[str]:
        return list(self._problems)


class _Issuer:
    def __init__(self, *, problem: str | None = None, warning: str | None = None) -> None:
        self.problem = problem
        self.warning = warning


async def _get(path: str, stores: _Stores, **state: object) -> httpx2.Response:
    routes = Starlette(routes=health.routes)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await routes({**scope, "state": {"stores": stores, "issuer": None, **state}}, receive, send)

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://onsale") as client:
        return await client.get(path)


async def test_process_without_problems_is_ready() -> None:
    answer = await _get("/readyz", _Stores())
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


async def test_readiness_names_the_problems() -> None:
    answer = await _get("/readyz", _Stores("the stock store does not answer", "no index"))
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "problems": ["the stock store does not answer", "no index"]}


async def test_server_that_leaves_is_not_ready_whatever_its_stores_say() -> None:
    departure = health.Departure()
    assert (await _get("/readyz", _Stores(), departure=departure)).status_code == 200
    departure.is_announced = True
    for stores in (_Stores(), _Stores("the stock store does not answer")):
        answer = await _get("/readyz", stores, departure=departure)
        assert (answer.status_code, answer.json()["problems"]) == (503, [health.LEAVING])
    assert (await _get("/livez", _Stores(), departure=departure)).status_code == 200


async def test_process_that_does_not_know_the_ended_sessions_is_not_ready() -> None:
    revocations = Revocations(FakeRevocationStore())
    answer = await _get("/readyz", _Stores(), revocations=revocations)
    problems = ["the ended sessions have not been read since startup"]
    assert (answer.status_code, answer.json()) == (503, {"status": "not ready", "problems": problems})
    await revocations.read_new()
    assert (await _get("/readyz", _Stores(), revocations=revocations)).status_code == 200


async def test_process_that_cannot_accept_tokens_is_not_ready() -> None:
    answer = await _get("/readyz", _Stores("no index"), issuer=_Issuer(problem="no keys"))
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "problems": ["no index", "no keys"]}


@pytest.mark.parametrize(("problems", "status"), [((), 200), (("no index",), 503)])
async def test_warnings_of_the_stores_are_shown(problems: tuple[str, ...], status: int) -> None:
    stores = _Stores(*problems, warnings=("a clock is wrong",))
    answer = await _get("/readyz", stores, issuer=_Issuer(warning="the issuer is away"))
    assert answer.status_code == status
    assert answer.json()["warnings"] == ["a clock is wrong", "the issuer is away"]


async def test_process_with_known_keys_is_ready_without_its_issuer() -> None:
    answer = await _get("/readyz", _Stores(), issuer=_Issuer(warning="the issuer is away"))
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "warnings": ["the issuer is away"]})


@pytest.mark.parametrize("stores", [_Stores(), _Stores("all is lost")])
async def test_process_is_live_even_without_its_stores(stores: _Stores) -> None:
    answer = await _get("/livez", stores)
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})
