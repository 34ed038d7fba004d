"""An unexpected error is shown without its details on each transport, and logged with them."""

from collections.abc import AsyncIterator
from typing import Any, Never, cast

import pytest
import pytest_asyncio

from schema import Engine
from storage.embedded.process import ServerProcess
from tests.support.databases import DatabasePool
from tests.support.shop import Shop
from tests.support.store_servers import open_shop
from tests.support.transports import TRANSPORTS, error_of, send_over

pytestmark = pytest.mark.asyncio(loop_scope="module")


class BrokenEngine:
    """Fails on each operation, as a bug in our code would."""

    async def execute(self, *_: object, **__: object) -> Never:
        raise RuntimeError("a detail of the code")

    start = execute


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broken_shop(shared_valkey: ServerProcess, databases: DatabasePool) -> AsyncIterator[Shop]:
    broken = cast(Any, BrokenEngine())
    async with open_shop(shared_valkey, databases, engine=Engine(broken, broken)) as made:
        yield made


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_unexpected_error_is_shown_without_details(
    broken_shop: Shop, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await send_over(transport, broken_shop, {"query": "{ serverTime }"})
    message, code = error_of(answer)
    (error,) = answer["errors"]
    request_id = error["extensions"]["requestId"]
    assert (message, code) == (f"An internal error occurred; report it with request id {request_id}.", "INTERNAL")
    assert set(error) == {"message", "extensions"}
    assert set(error["extensions"]) == {"code", "requestId"}
    assert "RuntimeError: a detail of the code" in caplog.text
