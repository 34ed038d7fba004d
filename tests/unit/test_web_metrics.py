"""Only the configured networks may read `/metrics`."""

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from telemetry.counters import refused
from web.metrics import metrics_routes


async def read(address: str) -> httpx2.Response:
    app = Starlette(routes=metrics_routes(["127.0.0.0/8", "2001:db8:1::/48"]))
    transport = httpx2.ASGITransport(app, client=(address, 4711))
    async with httpx2.AsyncClient(transport=transport, base_url="http://onsale") as client:
        return await client.get("/metrics")


@pytest.mark.parametrize("address", ["127.0.0.1", "2001:db8:1:2::/64"])
async def test_operators_read_the_counters(address: str) -> None:
    refused.labels("NOT_FOUND").inc()
    answer = await read(address)
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    codes = {sample.labels.get("code") for sample in families["onsale_refusals"].samples}
    assert answer.status_code == 200
    assert "NOT_FOUND" in codes


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8:2::/64", "testclient"])
async def test_metrics_do_not_exist_for_others(address: str) -> None:
    answer = await read(address)
    assert (answer.status_code, answer.text) == (404, "Not Found")
