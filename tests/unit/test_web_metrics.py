"""Only the configured networks may read `/metrics`."""

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.middleware import Middleware

from telemetry.counters import refused
from web.monitoring.metrics import metrics_routes
from web.proxies import ProxyMiddleware


async def read(address: str, headers: dict[str, str] | None = None) -> httpx2.Response:
    app = Starlette(
        routes=metrics_routes(["127.0.0.0/8", "2001:db8:1::/48", "203.0.113.9"]),
        middleware=[Middleware(ProxyMiddleware, ["127.0.0.2"])],
    )
    transport = httpx2.ASGITransport(app, client=(address, 4711))
    async with httpx2.AsyncClient(transport=transport, base_url="http://onsale") as client:
        return await client.get("/metrics", headers=headers)


@pytest.mark.parametrize("address", ["127.0.0.1", "2001:db8:1:2::/64"])
async def test_operators_can_read_the_counters(address: str) -> None:
    refused.labels("NOT_FOUND").inc()
    answer = await read(address)
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    codes = {sample.labels.get("code") for sample in families["onsale_refusals"].samples}
    assert answer.status_code == 200
    assert "NOT_FOUND" in codes


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8:2::/64", "testclient"])
async def test_other_clients_get_404_for_metrics(address: str) -> None:
    answer = await read(address)
    assert (answer.status_code, answer.text) == (404, "Not Found")


@pytest.mark.parametrize(
    "header", [("X-Forwarded-For", "203.0.113.7"), ("Forwarded", "for=203.0.113.7"), ("Via", "1.1 proxy")]
)
async def test_metrics_are_hidden_behind_an_untrusted_proxy(header: tuple[str, str]) -> None:
    assert (await read("127.0.0.1", dict([header]))).status_code == 404


@pytest.mark.parametrize(("client", "status"), [("203.0.113.9", 200), ("203.0.113.7", 404)])
async def test_trusted_proxy_shows_metrics_only_to_operators(client: str, status: int) -> None:
    answer = await read("127.0.0.2", {"X-Forwarded-For": f"127.0.0.1, {client}"})
    assert answer.status_code == status
